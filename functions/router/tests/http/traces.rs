//! Trace contexts and request ids of forwarded requests, and collectors that are away, hang or are not named.

use std::{collections::BTreeSet, fs, time::Duration};

use axum::{Json, Router, http::HeaderMap};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::Command,
    time::{Instant, sleep},
};

use crate::{TestApp, nobodys_port};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PATH: &str = "/api/v1/notifications/log";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
/// The begin of the name of the exporter's thread, as the kernel keeps it.
const EXPORTER: &str = "OpenTelemetry.";

impl TestApp {
    /// Returns the names of the router's threads.
    fn threads(&self) -> BTreeSet<String> {
        let number = self.process.id().expect("it runs");
        let threads = fs::read_dir(format!("/proc/{number}/task")).expect("its threads");
        let name = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("comm")).ok();
        threads.filter_map(Result::ok).filter_map(name).map(|name| name.trim().to_owned()).collect()
    }

    /// Sends a request in a trace, and returns the headers with which its upstream got it.
    async fn forwarded(&self) -> Value {
        let request = self.request(Method::GET, PATH).header("X-Request-Id", "satellite-4711");
        let request = request.header("traceparent", format!("00-{TRACE}-{SPAN}-01"));
        let answer = request.header("tracestate", "hub=1").send().await.expect("an answer");
        assert_eq!(answer.headers()["x-request-id"], "satellite-4711");
        answer.json().await.expect("JSON")
    }

    /// Asks the router to end. Returns the time until it has ended well.
    async fn stop(mut self) -> Duration {
        let number = self.process.id().expect("it runs").to_string();
        let begun = Instant::now();
        Command::new("kill").args(["-TERM", &number]).status().await.expect("a signal");
        assert!(self.process.wait().await.expect("it ends").success());
        begun.elapsed()
    }
}

/// Starts a function that answers with the headers that it got. Returns its URL.
async fn echo() -> String {
    let echo = |headers: HeaderMap| async move {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let names = ["x-request-id", "traceparent", "tracestate"];
        Json(names.iter().map(|name| ((*name).to_owned(), json!(text(name)))).collect::<Value>())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    format!("http://{address}")
}

/// Starts a collector that takes connections and says nothing. Returns its URL.
async fn hanging() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            open.push(socket);
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_request_is_forwarded_with_its_id_and_as_a_child_in_its_trace() {
    let collector = format!("http://127.0.0.1:{}", nobodys_port().await);
    let upstream = echo().await;
    let test_app = TestApp::open(&[("UPSTREAM_NOTIFICATIONS", &upstream), (ENDPOINT, &collector)]).await;
    let got = test_app.forwarded().await;
    assert_eq!((&got["x-request-id"], &got["tracestate"]), (&json!("satellite-4711"), &json!("hub=1")));
    let traceparent = got["traceparent"].as_str().expect("a trace context");
    assert!(traceparent.starts_with(&format!("00-{TRACE}-")) && traceparent.ends_with("-01"), "{got}");
    assert!(!traceparent.contains(SPAN), "the parent is a span of the router: {got}");
    // The router begins a trace if its client has none, or none that can be read.
    for wrong in ["", "00-x-y-01"] {
        let answer = test_app.request(Method::GET, PATH).header("traceparent", wrong).send().await;
        let got: Value = answer.expect("an answer").json().await.expect("JSON");
        let new = got["traceparent"].as_str().expect("a trace context");
        assert!(new.len() == 55 && !new.contains(TRACE), "{got}");
        assert_eq!(got["tracestate"], Value::Null);
    }
}

#[tokio::test]
async fn a_router_without_a_collector_exports_nothing_and_passes_the_trace_on() {
    let (collector, upstream) = (hanging().await, echo().await);
    let usual = ("UPSTREAM_NOTIFICATIONS", upstream.as_str());
    for variables in [
        vec![usual],
        vec![usual, (ENDPOINT, &collector), ("OTEL_SDK_DISABLED", "true")],
        vec![usual, (ENDPOINT, &collector), ("OTEL_TRACES_EXPORTER", "none")],
    ] {
        let test_app = TestApp::open(&variables).await;
        let got = test_app.forwarded().await;
        assert_eq!(got["traceparent"], format!("00-{TRACE}-{SPAN}-01"));
        assert_eq!(got["x-request-id"], "satellite-4711");
        let threads = test_app.threads();
        assert!(!threads.iter().any(|name| name.starts_with(EXPORTER)), "{threads:?}");
    }
    let test_app = TestApp::open(&[usual, (ENDPOINT, &collector)]).await;
    let threads = test_app.threads();
    assert!(threads.iter().any(|name| name.starts_with(EXPORTER)), "{threads:?}");
}

#[tokio::test]
async fn a_collector_that_hangs_or_is_away_delays_neither_requests_nor_the_end() {
    let away = format!("http://127.0.0.1:{}", nobodys_port().await);
    for collector in [hanging().await, away] {
        // A queue that is full, and an export in the middle of the end.
        let variables = [
            (ENDPOINT, collector.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
        ];
        let test_app = TestApp::open(&variables).await;
        sleep(Duration::from_millis(200)).await;
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let begun = Instant::now();
        for _ in 0..100 {
            let answer = client.get(format!("{}/nowhere", test_app.url)).send().await.expect("an answer");
            assert_eq!(answer.status(), 404);
        }
        // One export takes ten seconds until it is given up.
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        let took = test_app.stop().await;
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}
