//! The worker's own port, probes by the binaries, and metrics of the whole service.

use std::time::{Duration, Instant};

use messenger_tests::{Client, Plan, Stack, is_skipped_on_deployment, is_skipped_on_lambda};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const TOKEN: &str = "the metrics token of the tests";
/// The longest that a change may take to show on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn plan() -> Plan {
    Plan { environment: vec![("METRICS_TOKEN".to_owned(), TOKEN.to_owned())], ..Plan::default() }
}

async fn metrics(client: &Client, token: Option<&str>) -> (StatusCode, String) {
    let mut request = client.request(Method::GET, "/metrics");
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.expect("an answer");
    (response.status(), response.text().await.expect("a text"))
}

/// Returns the value of the first series of a metric with this label.
fn value(text: &str, name: &str, label: &str) -> Option<f64> {
    let mut lines =
        text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
    lines.next().and_then(|line| line.rsplit_once(' ')).and_then(|(_, value)| value.parse().ok())
}

/// Waits until the worker is ready.
async fn ready(stack: &Stack) -> Value {
    let begun = Instant::now();
    loop {
        // The worker may not listen yet.
        let request = stack.worker_client().request(Method::GET, "/readyz");
        if let Ok(response) = request.send().await
            && response.status() == StatusCode::OK
        {
            return response.json().await.expect("JSON");
        }
        assert!(begun.elapsed() < PATIENCE, "the worker is not ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn the_worker_answers_probes_and_metrics_on_its_own_port() {
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    let mut stack = Stack::start_with(plan()).await;
    let body = ready(&stack).await;
    let names = body["parts"].as_array().into_iter().flatten().map(|part| &part["part"]);
    // The copy is a part with EVENT_STORE=dynamodb.
    let names: Vec<_> = names.filter(|name| *name != "copy").collect();
    assert_eq!(names, ["database", "setup", "deliveries", "reconciliation", "homeserver"]);
    assert_eq!(stack.worker_client().get("/livez").await.status, StatusCode::OK);
    // Not by `get`, which compares with the document of the functions.
    let api = stack.worker_client().request(Method::GET, "/api/v1/rooms").send().await;
    assert_eq!(api.expect("an answer").status(), StatusCode::NOT_FOUND, "the worker has no API");
    assert_eq!(stack.probe_worker().await.0, Some(0));

    let client = stack.client();
    let sent = client.notify(&json!({ "source_app": "a", "event_type": "e", "title": "x" })).await;
    assert_eq!(sent.body["status"], "sent", "{}", sent.body);
    let (status, text) = metrics(&stack.worker_client(), None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(value(&text, "messenger_homeserver_up", "function=\"worker\""), Some(1.0), "{text}");
    let calls = value(&text, "messenger_homeserver_calls_total", "outcome=\"success\"");
    assert!(calls.is_some_and(|calls| calls >= 1.0), "{text}");
    assert!(value(&text, "messenger_database_connections_max", "").is_some(), "{text}");

    stack.kill_worker();
    let (code, output) = stack.probe_worker().await;
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("not ready"), "{output}");
}

#[tokio::test]
async fn an_outage_of_the_homeserver_shows_in_metrics_and_leaves_the_worker_ready() {
    if is_skipped_on_deployment("it stops the homeserver") {
        return;
    }
    let mut stack = Stack::start_with(plan()).await;
    ready(&stack).await;
    stack.homeserver.as_mut().expect("a homeserver").process_mut().stop().await;
    let body = json!({ "source_app": "a", "event_type": "e", "title": "x" });
    assert_eq!(stack.client().notify_with(&body, "?wait=1", None).await.body["status"], "pending");
    let begun = Instant::now();
    loop {
        let (_, text) = metrics(&stack.worker_client(), None).await;
        let up = value(&text, "messenger_homeserver_up", "");
        let queued = value(&text, "messenger_outbox_notifications", "state=\"queued\"");
        if up == Some(0.0) && queued == Some(1.0) {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{text}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let answer = stack.worker_client().get("/readyz").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let parts = answer.body["parts"].as_array().cloned().unwrap_or_default();
    let homeserver = parts.iter().find(|part| part["part"] == "homeserver").expect("the part");
    assert_eq!(homeserver["ready"], false);
    assert!(homeserver["since"].is_string(), "{homeserver}");
}

#[tokio::test]
async fn the_router_shows_its_metrics_to_callers_with_the_token_only() {
    if is_skipped_on_lambda("it asks the router for its metrics") {
        return;
    }
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..plan() }).await;
    for token in [None, Some("another token")] {
        assert_eq!(metrics(&stack.client(), token).await.0, StatusCode::NOT_FOUND);
    }
    let (status, text) = metrics(&stack.client(), Some(TOKEN)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(value(&text, "messenger_database_up", "function=\"router\""), Some(1.0), "{text}");
    let (url, _function) = stack.start_function("messenger-rooms").await;
    let (status, text) = metrics(&Client::new(&url), None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(value(&text, "messenger_build_info", "function=\"rooms\"").is_some(), "{text}");
}
