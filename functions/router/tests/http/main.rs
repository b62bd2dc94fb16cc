//! The router binary: forwarded requests, their responses, and errors of the configuration.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

mod broken;
mod connections;
mod copies;
mod documentation;
mod draining;
mod lambda;
mod refusals;
mod silent;
mod test_copy;
mod traces;

use std::{collections::BTreeSet, net::SocketAddr, process::Stdio, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::IntoResponse,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    process::{Child, Command},
};

/// Time limit for the router to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running router. Ends when dropped.
struct TestApp {
    url: String,
    address: SocketAddr,
    process: Child,
}

fn router(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_messenger-router"));
    command.env_clear().envs(variables.iter().copied()).kill_on_drop(true);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

impl TestApp {
    /// Starts a router whose database cannot be reached.
    async fn open(variables: &[(&str, &str)]) -> Self {
        Self::of(router(&[]), variables).await
    }

    /// Starts a router by this command.
    async fn of(mut command: Command, variables: &[(&str, &str)]) -> Self {
        let port = nobodys_port().await.to_string();
        let usual = [
            ("HOST", "127.0.0.1"),
            ("PORT", port.as_str()),
            ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"),
        ];
        command.envs([&usual, variables].concat()).stderr(Stdio::null());
        let process = command.spawn().expect("it starts");
        let address = format!("127.0.0.1:{port}").parse().expect("an address");
        let test_app = Self { url: format!("http://{address}"), address, process };
        let begun = tokio::time::Instant::now();
        while test_app.request(Method::GET, "/livez").send().await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "the router does not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        test_app
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        client.request(method, format!("{}{path}", self.url))
    }
}

/// Returns a port without a listener.
async fn nobodys_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Starts an upstream that answers with the request that it got. Returns its URL.
async fn elsewhere() -> String {
    let echo = |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let names: BTreeSet<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
        let token = headers.get("x-service-token").and_then(|token| token.to_str().ok());
        let echo = json!({
            "asked": format!("{method} {uri}"), "headers": names, "token": token,
            "body": String::from_utf8_lossy(&body),
        });
        (StatusCode::IM_A_TEAPOT, [("X-Request-Id", "theirs"), ("X-Next-Cursor", "7")], Json(echo))
            .into_response()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_request_is_forwarded_completely_and_its_response_is_returned_unchanged() {
    let there = elsewhere().await;
    let test_app = TestApp::open(&[("UPSTREAM_NOTIFICATIONS", &there)]).await;
    let path = "/api/v1/notifications/send?wait=0&q=%C3%BC%2F";
    let request =
        test_app.request(Method::POST, path).header("X-Service-Token", "secret").header("TE", "trailers");
    let answer = request.body("{\"title\":\"ü\"}").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(answer.headers()["x-next-cursor"], "7");
    // An upstream that chose another id has it in the body of a problem and in its log.
    assert_eq!(answer.headers()["x-request-id"], "theirs");
    let echo: Value = answer.json().await.expect("JSON");
    insta::assert_json_snapshot!(echo, @r#"
    {
      "asked": "POST /api/v1/notifications/send?wait=0&q=%C3%BC%2F",
      "body": "{\"title\":\"ü\"}",
      "headers": [
        "accept",
        "content-length",
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-request-id",
        "x-service-token"
      ],
      "token": "secret"
    }
    "#);
}

#[tokio::test]
async fn a_group_has_its_path_and_all_paths_below_it() {
    let there = elsewhere().await;
    let test_app = TestApp::open(&[("UPSTREAM_USERS", &there), ("UPSTREAM_POLL", &there)]).await;
    let mut lines = Vec::new();
    for path in [
        "/api/v1/users",
        "/api/v1/users/me",
        "/api/v1/events/poll",
        "/api/v1/events/stream",
        "/api/v1/usersx",
    ] {
        let status = test_app.request(Method::GET, path).send().await.expect("an answer").status();
        lines.push(format!("{path} {}", status.as_u16()));
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    /api/v1/users 418
    /api/v1/users/me 418
    /api/v1/events/poll 418
    /api/v1/events/stream 401
    /api/v1/usersx 404
    ");
}

#[tokio::test]
async fn a_probe_asks_the_router_on_its_port_without_any_other_configuration() {
    let test_app = TestApp::open(&[]).await;
    let port = test_app.address.port().to_string();
    let begun = tokio::time::Instant::now();
    let ended = router(&[("PORT", &port)]).arg("probe").output().await.expect("it ends");
    let output = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "its database cannot be reached: {output}");
    assert!(output.contains("status 503") && output.contains("database_unavailable"), "{output}");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let nobody = nobodys_port().await.to_string();
    let ended = router(&[("PORT", &nobody)]).arg("probe").output().await.expect("it ends");
    assert_eq!(ended.status.code(), Some(1));
}

#[tokio::test]
async fn the_help_says_what_the_router_is_and_other_arguments_are_refused() {
    let ended = router(&[]).arg("--help").output().await.expect("it ends");
    let help = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(0));
    assert!(help.starts_with("messenger-router ") && help.contains("DATABASE_URL"), "{help}");
    assert!(help.contains("  probe "), "{help}");
    let ended = router(&[]).arg("--port=8001").output().await.expect("it ends");
    let output = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2));
    assert!(output.contains("`--port=8001`"), "{output}");
}

#[tokio::test]
async fn a_wrong_upstream_is_reported_with_its_variable() {
    for wrong in ["ftp://a", "a:8000", "http://a:8000/path", "http://a:8000,"] {
        let ended = router(&[("UPSTREAM_EVENTS", wrong)]).output().await.expect("it ends");
        let output = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{output}");
        assert!(output.starts_with("UPSTREAM_EVENTS: `"), "{output}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_reported_completely_and_ends_the_router() {
    let ended = router(&[("PORT", "http"), ("ENVIRONMENT", "production")]).output().await.expect("it ends");
    assert_eq!(ended.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8_lossy(&ended.stderr), @r"
    the configuration is wrong:
      PORT is `http`, must be a whole number from 1 to 65535
      DATABASE_URL is missing: a PostgreSQL connection string, postgres://user@host/database
      SECRET_KEY is missing or has a published value: set a secret of your own; `openssl rand -hex 32` prints a good one
      MESSENGER_SERVICE_TOKEN is missing or has a published value: set a secret of your own; `openssl rand -hex 32` prints a good one
    ");
}
