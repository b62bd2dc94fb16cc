//! The end of a program: it drains, then accepts no requests, finishes those in flight, and exits with 0.

use std::time::Duration;

use axum::http::Method;
use messenger_runtime::testing::{HUB_SECRET_KEY, connected, exchange, to_end};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    process::Command,
    time::{Instant, sleep},
};

use crate::TestApp;

impl TestApp {
    /// Asks the router to end.
    pub(crate) async fn terminate(&self) {
        let number = self.process.id().expect("it runs").to_string();
        Command::new("kill").args(["-TERM", &number]).status().await.expect("a signal");
    }

    async fn ready(&self) -> (u16, Value) {
        let answer = self.request(Method::GET, "/readyz").send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }
}

#[tokio::test]
async fn a_draining_program_is_not_ready_serves_on_and_then_refuses_and_exits_with_0() {
    let mut test_app = TestApp::open(&[("DRAIN_SECONDS", "3"), ("HUB_SECRET_KEY", HUB_SECRET_KEY)]).await;
    let begun = Instant::now();
    test_app.terminate().await;
    let (status, body) = loop {
        let (status, body) = test_app.ready().await;
        if body["code"] == "not_ready" {
            break (status, body);
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "{body}");
    };
    assert_eq!((status, &body["parts"][0]["part"]), (503, &"server".into()));
    assert_eq!(body["detail"], "the process is shutting down");
    let answer = test_app.request(Method::GET, "/").send().await.expect("it still serves");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["connection"]),
        (200, &"close".parse().expect("text"))
    );
    assert!(exchange(test_app.address, b"GET /livez HTTP/1.1\r\nhost: h\r\n\r\n").await.ends_with("alive"));
    // A request in flight at the end of the drain.
    let head = b"POST /auth/hub-login HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{";
    let mut in_flight = connected(test_app.address, head).await;
    while TcpStream::connect(test_app.address).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(8), "it still accepts connections");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(3), "{:?}", begun.elapsed());
    in_flight.write_all(b"}").await.expect("it takes the rest");
    let answer = to_end(in_flight).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert_eq!(test_app.process.wait().await.expect("it ends").code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_program_does_not_drain_by_default_and_a_second_signal_ends_a_drain() {
    for (seconds, requests) in [("0", 1), ("300", 2)] {
        let mut test_app = TestApp::open(&[("DRAIN_SECONDS", seconds)]).await;
        let begun = Instant::now();
        for _ in 0..requests {
            test_app.terminate().await;
            sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(test_app.process.wait().await.expect("it ends").code(), Some(0));
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }
}
