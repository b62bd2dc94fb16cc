//! Faulty connections on raw sockets: partial, wrong and late heads, and too many at once.

use std::{fs, net::SocketAddr, time::Duration};

use messenger_runtime::testing::{connected, exchange, to_end};
use tokio::{
    net::TcpStream,
    process::Command,
    time::{Instant, sleep},
};

use crate::{PATIENCE, TestApp, router};

/// A request for a stream, cut off before its first line ends.
const PARTIAL: &[u8] = b"GET /api/v1/ev";
const USERS: &[u8] = b"GET /api/v1/users/me HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
const LIVEZ: &[u8] = b"GET /livez HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";

impl TestApp {
    /// Returns the processor time that the router has used.
    fn processor_time(&self) -> Duration {
        let number = self.process.id().expect("it runs");
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).expect("its state");
        let (_, fields) = stat.rsplit_once(") ").expect("fields");
        // utime and stime (proc(5)), in hundredths of a second.
        let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
        Duration::from_millis(10 * ticks.sum::<u64>())
    }
}

async fn partial(address: SocketAddr, number: usize) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    for _ in 0..number {
        sockets.push(connected(address, PARTIAL).await);
    }
    sockets
}

#[track_caller]
fn assert_problem(answer: &str, status: &str, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_partial_head_costs_no_processor_time_and_is_answered_when_complete() {
    let test_app = TestApp::open(&[]).await;
    let sockets = partial(test_app.address, 100).await;
    let before = test_app.processor_time();
    sleep(Duration::from_secs(2)).await;
    let used = test_app.processor_time().saturating_sub(before);
    assert!(used < Duration::from_millis(400), "{used:?} of two seconds");
    for socket in sockets {
        socket.writable().await.expect("it is open");
        socket.try_write(b"ents/stream HTTP/1.1\r\nhost: h\r\n\r\n").expect("it takes the rest");
        assert!(to_end(socket).await.starts_with("HTTP/1.1 401 "));
    }
}

#[tokio::test]
async fn a_head_that_arrives_byte_by_byte_is_answered() {
    let test_app = TestApp::open(&[]).await;
    let stream = "GET /api/v1/events/stream HTTP/1.1\r\nhost: h\r\n\r\n".as_bytes();
    for head in [stream, USERS] {
        let socket = connected(test_app.address, b"").await;
        for byte in head.chunks(1) {
            socket.writable().await.expect("it is open");
            socket.try_write(byte).expect("it takes a byte");
            tokio::task::yield_now().await;
        }
        assert!(to_end(socket).await.starts_with("HTTP/1.1 401 "));
    }
}

#[tokio::test]
async fn a_wrong_head_is_answered_as_a_problem_on_every_path() {
    let test_app = TestApp::open(&[]).await;
    for path in ["/api/v1/events/stream", "/api/v1/users/me"] {
        let head = |more: &str| format!("GET {path} HTTP/1.1\r\nhost: h\r\n{more}\r\n").into_bytes();
        let malformed = [
            head("no header\r\n"),
            head("na me: x\r\n"),
            format!("GET {path} HTTP/9\r\n\r\n").into_bytes(),
            format!("GET {path}\r\n\r\n").into_bytes(),
            [b"GET ".as_slice(), path.as_bytes(), b" HTTP/1.1\r\nx: \0\r\n\r\n"].concat(),
        ];
        for wrong in malformed {
            assert_problem(&exchange(test_app.address, &wrong).await, "400", "invalid_request");
        }
        let large = head(&format!("x: {}\r\n", "x".repeat(40_000)));
        assert_problem(&exchange(test_app.address, &large).await, "431", "head_too_large");
        let many = (0..101).fold(String::new(), |head, n| head + &format!("x{n}: 1\r\n"));
        assert_problem(&exchange(test_app.address, &head(&many)).await, "431", "head_too_large");
    }
    for wrong in [b"\x16\x03\x01\x02\x00\x01\x00".as_slice(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        assert_problem(&exchange(test_app.address, wrong).await, "400", "invalid_request");
    }
    let wrong_path = b"GET /api/v1/events/stream?\xff HTTP/1.1\r\nhost: h\r\n\r\n";
    assert_problem(&exchange(test_app.address, wrong_path).await, "400", "invalid_request");
}

#[tokio::test]
async fn a_late_head_is_408_and_a_silent_connection_is_closed() {
    let test_app = TestApp::open(&[]).await;
    let begun = Instant::now();
    let (partial, other, silent) = tokio::join!(
        exchange(test_app.address, PARTIAL),
        exchange(test_app.address, b"POST /auth/hub-login HTTP/1.1\r\nhost: h\r\n"),
        exchange(test_app.address, b""),
    );
    assert_problem(&partial, "408", "request_timeout");
    assert_problem(&other, "408", "request_timeout");
    assert_eq!(silent, "", "a silent client gets no answer");
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn beyond_the_limit_of_connections_only_health_checks_are_answered() {
    for (variable, status) in [("LIMIT_CONNECTIONS", "503"), ("LIMIT_CONNECTIONS_PER_ADDRESS", "429")] {
        let test_app = TestApp::open(&[(variable, "10")]).await;
        let (_idle, refused) = until_full(&test_app, 9).await;
        assert_problem(&refused, status, "too_many_connections");
        assert!(refused.contains("retry-after: 5\r\n"), "{refused}");
        assert!(exchange(test_app.address, LIVEZ).await.ends_with("\r\n\r\nalive"));
        let ready = exchange(test_app.address, b"GET /readyz HTTP/1.1\r\nhost: h\r\n\r\n").await;
        assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
        assert!(ready.contains("\"code\":\"database_unavailable\""), "{ready}");
    }
}

/// Opens `least` connections, then more until the router refuses one. Returns them and the refusal.
async fn until_full(test_app: &TestApp, least: usize) -> (Vec<TcpStream>, String) {
    let mut sockets = partial(test_app.address, least).await;
    let begun = Instant::now();
    loop {
        let answer = exchange(test_app.address, USERS).await;
        if !answer.starts_with("HTTP/1.1 401 ") {
            return (sockets, answer);
        }
        assert!(begun.elapsed() < PATIENCE, "it takes {} connections", sockets.len());
        sockets.extend(partial(test_app.address, 1).await);
    }
}

#[tokio::test]
async fn file_descriptors_never_run_out_and_a_freed_one_is_used_again() {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n 160 && exec {}", env!("CARGO_BIN_EXE_messenger-router"));
    command.args(["-c", &script]).env_clear().kill_on_drop(true).stdin(std::process::Stdio::null());
    let test_app = TestApp::of(command, &[]).await;
    let (idle, refused) = until_full(&test_app, 20).await;
    assert_problem(&refused, "503", "too_many_connections");
    assert!(idle.len() < 64, "{}: some are left for what the service itself needs", idle.len());
    // Of many connections of one address each is answered or closed.
    let flood = partial(test_app.address, 200).await;
    let begun = Instant::now();
    while !exchange(test_app.address, LIVEZ).await.ends_with("alive") {
        assert!(begun.elapsed() < PATIENCE, "health is not answered");
        sleep(Duration::from_millis(100)).await;
    }
    drop((idle, flood));
    while !exchange(test_app.address, USERS).await.starts_with("HTTP/1.1 401 ") {
        assert!(begun.elapsed() < PATIENCE, "what was freed is not used");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_connection_that_waits_for_its_head_does_not_delay_the_end() {
    let mut test_app = TestApp::of(router(&[]), &[]).await;
    let _idle = partial(test_app.address, 3).await;
    // An answer proves that the router has accepted the others before.
    assert!(exchange(test_app.address, LIVEZ).await.ends_with("alive"));
    let number = test_app.process.id().expect("it runs").to_string();
    let begun = Instant::now();
    Command::new("kill").args(["-TERM", &number]).status().await.expect("a signal");
    test_app.process.wait().await.expect("it ends");
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}
