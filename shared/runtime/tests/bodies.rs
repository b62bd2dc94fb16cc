//! Bodies on raw sockets: slow ones, endless ones, and those without credentials.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use futures::stream;
use messenger_runtime::{
    App,
    caller::Authenticated,
    fields::SMALL_BODY_MAX,
    testing::{bearer, connected, exchange, listening, to_end},
};
use messenger_testkit::messenger;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{Instant, sleep},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// Routes: `/open` and `/small` read a body without credentials, `/closed` that of a user.
fn routes() -> Router<App> {
    let length = |body: Bytes| async move { body.len().to_string() };
    let closed = |_: Authenticated, body: Bytes| async move { body.len().to_string() };
    Router::new()
        .route("/open", post(length))
        .route("/small", post(length).layer(DefaultBodyLimit::max(SMALL_BODY_MAX)))
        .route("/closed", post(closed))
}

async fn server(variables: &[(&str, &str)]) -> SocketAddr {
    let messenger = messenger().build();
    listening(routes(), &messenger, variables).await
}

/// Returns the head of a request with a body of this length.
fn head(path: &str, length: usize, more: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n{more}\r\n").into_bytes()
}

#[track_caller]
fn assert_problem(answer: &str, status: &str, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_that_makes_no_progress_is_408_and_ends_the_connection() {
    let address = server(&[("LIMIT_BODY_SECONDS", "1")]).await;
    for path in ["/open", "/small"] {
        let begin = [head(path, 1000, ""), b"begin".to_vec()].concat();
        assert_problem(&exchange(address, &begin).await, "408", "request_timeout");
    }
    let chunked = b"POST /open HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n";
    assert_problem(&exchange(address, chunked).await, "408", "request_timeout");
}

#[tokio::test]
async fn a_body_below_the_minimum_rate_is_refused_and_a_slow_one_is_read() {
    let address = server(&[("LIMIT_BODY_SECONDS", "3"), ("LIMIT_BODY_BYTES_PER_SECOND", "1000")]).await;
    let trickle = async {
        let mut socket = connected(address, &head("/open", 1000, "")).await;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && socket.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(500)).await;
        }
        assert!(begun.elapsed() < PATIENCE, "it goes on for ever");
    };
    let slow = async {
        let mut socket = connected(address, &head("/open", 60_000, "connection: close\r\n")).await;
        for _ in 0..10 {
            sleep(Duration::from_millis(500)).await;
            socket.write_all(&[b'x'; 6000]).await.expect("it is taken");
        }
        assert!(to_end(socket).await.ends_with("60000"));
    };
    tokio::join!(trickle, slow);
}

#[tokio::test]
async fn a_request_without_credentials_is_refused_before_its_body_is_read() {
    let address = server(&[]).await;
    // No byte of the body is sent, and the answer comes nevertheless.
    assert!(exchange(address, &head("/closed", 1 << 20, "")).await.starts_with("HTTP/1.1 401 "));
    let wrong = head("/closed", 1 << 20, "authorization: Bearer x.y.z\r\n");
    assert!(exchange(address, &wrong).await.starts_with("HTTP/1.1 401 "));
    let good = format!("authorization: {}\r\nconnection: close\r\n", bearer("mueller"));
    let whole = [head("/closed", 4, &good), b"body".to_vec()].concat();
    assert!(exchange(address, &whole).await.ends_with("\r\n\r\n4"));
}

#[tokio::test]
async fn a_body_without_credentials_is_small() {
    let address = server(&[]).await;
    let fits = [head("/small", SMALL_BODY_MAX, "connection: close\r\n"), vec![b'x'; SMALL_BODY_MAX]].concat();
    assert!(exchange(address, &fits).await.ends_with("\r\n\r\n16384"));
    let one_more = [head("/small", SMALL_BODY_MAX + 1, ""), vec![b'x'; SMALL_BODY_MAX + 1]].concat();
    assert_problem(&exchange(address, &one_more).await, "413", "body_too_large");
    let endless = b"POST /small HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut socket = connected(address, endless).await;
    let piece = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let written = async {
        for _ in 0..10_000 {
            if socket.write_all(piece.as_bytes()).await.is_err() {
                return true;
            }
        }
        false
    };
    assert!(written.await, "it is cut off");
}

/// A value that signals its drop.
struct DropSignal(Arc<AtomicBool>);

impl Drop for DropSignal {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_client_that_reads_nothing_of_an_answer_is_disconnected() {
    let gone = Arc::new(AtomicBool::new(false));
    let signal = gone.clone();
    let endless = move || {
        let signal = DropSignal(signal.clone());
        async move {
            let piece = Bytes::from(vec![b'x'; 65_536]);
            let pieces = stream::repeat_with(move || {
                let _signal = &signal;
                Ok::<_, std::convert::Infallible>(piece.clone())
            });
            Body::from_stream(pieces)
        }
    };
    let messenger = messenger().build();
    let routes = Router::new().route("/endless", get(endless));
    let address = listening(routes, &messenger, &[("LIMIT_WRITE_SECONDS", "1")]).await;
    let socket: TcpStream = connected(address, b"GET /endless HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let begun = Instant::now();
    while !gone.load(Ordering::SeqCst) {
        assert!(begun.elapsed() < PATIENCE, "the connection is still held");
        sleep(Duration::from_millis(50)).await;
    }
    drop(socket);
}
