//! Silent upstreams on raw sockets, and headers that a proxy does not forward.

use std::{net::SocketAddr, time::Duration};

use axum::http::Method;
use messenger_runtime::testing::{connected, exchange, to_end};
use reqwest::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::{PATIENCE, TestApp, nobodys_port};

/// The answer to a probe, on a connection that is used no more.
pub(crate) const READY: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Starts an upstream that reads a head, sends this text and is silent from then on. Returns its URL.
async fn upstream(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let head = head(&mut socket).await;
                if head.starts_with("GET /readyz ") {
                    let _ = socket.write_all(READY).await;
                    return;
                }
                let _ = socket.write_all(text.as_bytes()).await;
                let mut rest = [0; 4096];
                while let Ok(1..) = socket.read(&mut rest).await {}
            });
        }
    });
    format!("http://{address}")
}

/// Reads the head of a request.
pub(crate) async fn head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match socket.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Accepts connections, and answers probes. Returns the connection and the head of the first other request.
async fn asked(listener: TcpListener) -> (TcpStream, String) {
    loop {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let head = head(&mut socket).await;
        if !head.starts_with("GET /readyz ") {
            return (socket, head);
        }
        let _ = socket.write_all(READY).await;
    }
}

async fn test_app(group: &str, upstream: &str) -> TestApp {
    TestApp::open(&[(group, upstream), ("UPSTREAM_TIMEOUT_SECONDS", "1")]).await
}

#[tokio::test]
async fn a_silent_upstream_is_504() {
    let test_app = test_app("UPSTREAM_NOTIFICATIONS", &upstream("").await).await;
    for method in [Method::GET, Method::POST] {
        let request = test_app.request(method, "/api/v1/notifications/send?wait=0").body("{}");
        let answer = request.timeout(PATIENCE).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let body: serde_json::Value = answer.json().await.expect("JSON");
        assert_eq!(body["code"], "upstream_timeout");
    }
}

#[tokio::test]
async fn an_upstream_that_is_asked_to_wait_has_that_time_as_well() {
    let test_app = test_app("UPSTREAM_POLL", &upstream("").await).await;
    let begun = Instant::now();
    let request = test_app.request(Method::GET, "/api/v1/events/poll?wait=3").timeout(PATIENCE);
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_answer_that_stops_is_cut_off_and_a_stream_is_not() {
    let stopped = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n[";
    let stopped_app = test_app("UPSTREAM_USERS", &upstream(stopped).await).await;
    let answer =
        exchange(stopped_app.address, b"GET /api/v1/users HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
    let answer = timeout(PATIENCE, answer).await.expect("it is cut off");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with('['), "{answer}");

    let stream =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\nid: 1\ndata: 1\n\n";
    let test_app = test_app("UPSTREAM_EVENTS", &upstream(stream).await).await;
    let socket = connected(test_app.address, b"GET /api/v1/events/stream HTTP/1.1\r\nhost: h\r\n\r\n").await;
    let silence = timeout(Duration::from_secs(3), to_end(socket)).await;
    assert!(silence.is_err(), "a stream may be silent: {silence:?}");
}

#[tokio::test]
async fn an_upload_may_take_longer_than_an_upstream_may_be_silent() {
    let response = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let (mut socket, _) = asked(listener).await;
        let mut body = vec![0; 6000];
        socket.read_exact(&mut body).await.expect("the whole body");
        socket.write_all(response.as_bytes()).await.expect("it takes the answer");
    });
    let test_app = test_app("UPSTREAM_NOTIFICATIONS", &url).await;
    let head = b"POST /api/v1/notifications/send HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 6000\r\n\r\n";
    let mut socket = connected(test_app.address, head).await;
    for _ in 0..6 {
        sleep(Duration::from_millis(400)).await;
        socket.write_all(&[b'x'; 1000]).await.expect("it is taken");
    }
    assert!(to_end(socket).await.ends_with("\r\n\r\nok"));
}

#[tokio::test]
async fn an_unread_body_is_sent_to_the_copy_that_is_available() {
    let there = upstream_that_counts().await;
    let unavailable = format!("http://127.0.0.1:{}", nobodys_port().await);
    let test_app = TestApp::open(&[("UPSTREAM_MESSAGES", &format!("{unavailable},{there}"))]).await;
    for _ in 0..4 {
        // Larger than any buffer for a second attempt.
        let request = test_app.request(Method::POST, "/api/v1/messages/upload").body(vec![b'x'; 3 << 20]);
        let answer = request.timeout(PATIENCE).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("text"), (3 << 20).to_string());
    }
}

/// Starts an upstream that answers with the length of the body. Returns its URL.
async fn upstream_that_counts() -> String {
    let count = |body: axum::body::Body| async move {
        axum::body::to_bytes(body, usize::MAX).await.map_or(0, |body| body.len()).to_string()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(count)).await });
    format!("http://{address}")
}

#[tokio::test]
async fn hop_by_hop_headers_are_not_forwarded_and_the_client_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = tokio::spawn(async move {
        let (mut socket, asked) = asked(listener).await;
        let answer = "HTTP/1.1 200 OK\r\nconnection: X-Theirs\r\nx-theirs: 1\r\nkeep-alive: timeout=5\r\n\
                      proxy-authenticate: Basic\r\nupgrade: h2c\r\nx-public: 2\r\ncontent-length: 2\r\n\r\nok";
        socket.write_all(answer.as_bytes()).await.expect("it takes the answer");
        asked
    });
    let test_app = TestApp::open(&[("UPSTREAM_USERS", &url)]).await;
    let request = b"GET /api/v1/users HTTP/1.1\r\nhost: h\r\nconnection: close, X-Ours\r\nx-ours: 1\r\n\
        keep-alive: timeout=5\r\nproxy-authorization: Basic eA==\r\nte: trailers\r\nx-public: 2\r\n\
        x-forwarded-for: 198.51.100.1\r\nx-request-id: 4711\r\n\r\n";
    let answer = exchange(test_app.address, request).await;
    let names = |head: &str| {
        let lines = head.lines().skip(1).take_while(|line| !line.is_empty());
        let mut names: Vec<_> = lines.map(str::to_ascii_lowercase).collect();
        names.sort();
        names.join("\n")
    };
    let asked = names(&asked.await.expect("it was asked"));
    let asked: Vec<_> = asked.lines().filter(|line| !line.starts_with("host: ")).collect();
    let expected = ["x-forwarded-for: 127.0.0.1", "x-forwarded-host: h", "x-public: 2", "x-request-id: 4711"];
    assert_eq!(asked, expected);
    let answered = names(&answer);
    for gone in ["x-theirs", "keep-alive", "proxy-", "upgrade"] {
        assert!(!answered.contains(gone), "{gone} in {answered}");
    }
    assert!(answered.contains("x-public: 2"), "{answered}");
}

#[tokio::test]
async fn a_function_that_trusts_the_router_counts_its_clients() {
    let function =
        TestApp::open(&[("TRUSTED_PROXIES", "127.0.0.1"), ("LIMIT_FAILURES_PER_ADDRESS", "1")]).await;
    let front = TestApp::open(&[("UPSTREAM_USERS", &function.url)]).await;
    let ask = async |client: &str| {
        let request = function.request(Method::GET, "/api/v1/users/me").bearer_auth("wrong");
        request.header("X-Forwarded-For", client).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(
        [ask("198.51.100.1").await, ask("198.51.100.2").await, ask("198.51.100.1").await],
        [401, 401, 429]
    );
    // For the router, this machine is the client: an address that the client states does not count.
    let by_router = async |client: &str| {
        let request = front.request(Method::GET, "/api/v1/users/me").bearer_auth("wrong");
        request.header("X-Forwarded-For", client).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(by_router("198.51.100.3, 192.0.2.1").await, 401);
}

#[tokio::test]
async fn a_function_that_trusts_the_router_knows_the_host_of_the_browsers_request() {
    let ask = async |trusted: &str, origin: &str| {
        let function = TestApp::open(&[("TRUSTED_PROXIES", trusted)]).await;
        let front = TestApp::open(&[("UPSTREAM_USERS", &function.url)]).await;
        let origin = origin.replace("the-router", &front.address.to_string());
        let request = front.request(Method::DELETE, "/auth/session").header("Origin", origin);
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(ask("127.0.0.1", "http://the-router").await, 204);
    assert_eq!(ask("127.0.0.1", "http://elsewhere.example").await, 403);
    assert_eq!(ask("192.0.2.1", "http://the-router").await, 403, "the function does not trust the router");
}

#[tokio::test]
async fn a_wrong_time_limit_is_reported_with_its_variable() {
    for wrong in ["never", "-1", "86401"] {
        let ended = crate::router(&[("UPSTREAM_TIMEOUT_SECONDS", wrong)]).output().await.expect("it ends");
        let output = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{output}");
        assert!(output.starts_with("UPSTREAM_TIMEOUT_SECONDS is `"), "{output}");
    }
}
