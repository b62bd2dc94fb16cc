//! Malformed and wrong requests on a socket: each refusal is a problem with a code and a request id.

use std::fmt::Write as _;

use axum::http::Method;
use messenger_runtime::testing::{HUB_SECRET_KEY, SERVICE_TOKEN, token};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{PATIENCE, TestApp};

/// The routes of the service, with valid ids.
const ROUTES: [&str; 29] = [
    "/",
    "/livez",
    "/readyz",
    "/api/v1/health",
    "/api/v1/notifications/send",
    "/api/v1/notifications/log",
    "/api/v1/notifications/7",
    "/api/v1/events/stream",
    "/api/v1/events/poll",
    "/api/v1/messages/send",
    "/api/v1/messages/upload",
    "/api/v1/messages/history/!room",
    "/api/v1/messages/media/hub.local/id",
    "/api/v1/rooms",
    "/api/v1/rooms/directory",
    "/api/v1/rooms/dm/mueller",
    "/api/v1/rooms/!room/join",
    "/api/v1/rooms/!room/members",
    "/api/v1/rooms/!room/typing",
    "/api/v1/users",
    "/api/v1/users/me",
    "/api/v1/users/me/external-client",
    "/auth/hub-login",
    "/_matrix/app/v1/transactions/1",
    "/_matrix/app/v1/users/@a:b",
    "/_matrix/app/v1/rooms/x",
    "/_matrix/app/v1/ping",
    "/metrics",
    "/nowhere",
];
/// The suffixes that are appended to a path.
const TAILS: [&str; 16] = [
    "",
    "/",
    "/%ZZ",
    "/%FF",
    "/%00",
    "/%",
    "/..",
    "//",
    "/<id>",
    "/\"",
    "/ä",
    "/{x}",
    "?limit=%FF&wait=x&cursor=%00&offset=-1",
    "?limit=99999999999999999999&room_id=%00&last_event_id=%FF",
    "?%ZZ&=&&",
    "?a b",
];
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "BREW", "HEAD"];

/// An answer in the bytes of the socket.
struct Raw {
    status: u16,
    head: String,
    body: String,
}

impl Raw {
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// Checks that the answer is a complete problem. Returns its code.
    #[track_caller]
    fn code(&self, asked: &str) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{asked}: {}", self.head);
        assert_eq!(self.header("cache-control"), "no-store", "{asked}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{asked}");
        let problem: Value = serde_json::from_str(&self.body).expect("a problem is JSON");
        assert_eq!(problem["status"], self.status, "{asked}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{asked}");
        assert_eq!(self.header("x-request-id").len(), 32, "{asked}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{asked}");
        problem["code"].as_str().expect("a code").to_owned()
    }
}

/// Sends these bytes and reads until the connection ends. Returns `None` if it ended without an answer.
async fn exchange(test_app: &TestApp, bytes: &[u8]) -> Option<Raw> {
    let mut socket = TcpStream::connect(test_app.address).await.expect("a connection");
    socket.write_all(bytes).await.expect("written");
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("the connection ends");
    read.expect("an answer");
    let answer = String::from_utf8(answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Raw { status, head: head.to_owned(), body: body.to_owned() })
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

async fn test_app() -> TestApp {
    let variables = [("HUB_SECRET_KEY", HUB_SECRET_KEY), ("LIMIT_FAILURES_PER_ADDRESS", "0")];
    TestApp::open(&variables).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_of_each_route_is_a_problem() {
    let test_app = test_app().await;
    let user = format!("Authorization: Bearer {}\r\n", token("mueller"));
    let service = format!("X-Service-Token: {SERVICE_TOKEN}\r\n");
    let mut refused = 0;
    for (n, route) in ROUTES.iter().enumerate() {
        for (m, suffix) in TAILS.iter().enumerate() {
            // Each suffix with each method on some route, and each route with each method and some suffix.
            let method = METHODS[(n + m) % METHODS.len()];
            let path = format!("{route}{suffix}");
            let headers = ["", user.as_str(), service.as_str()][m % 3];
            let body = ["", "no JSON", "[]", "{}", "{\"room_id\":7}"][n % 5];
            let asked = format!("{method} {path} {body}");
            let answer = exchange(&test_app, request(method, &path, headers, body).as_bytes()).await;
            let answer = answer.unwrap_or_else(|| panic!("{asked}: no answer"));
            if answer.status >= 400 && method != "HEAD" {
                answer.code(&asked);
                refused += 1;
            }
        }
    }
    assert!(refused > 300, "{refused}");
}

#[tokio::test]
async fn each_kind_of_refusal_has_its_own_code() {
    let test_app = test_app().await;
    let user = format!("Authorization: Bearer {}\r\n", token("mueller"));
    let long = format!("/api/v1/users?q={}", "x".repeat(40_000));
    let many = "X: y\r\n".repeat(150);
    let json = "Content-Type: application/json\r\n";
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(2 << 20));
    let service = format!("X-Service-Token: {SERVICE_TOKEN}\r\n{json}");
    let media = "/api/v1/messages/media/hub.local";
    let mut lines = String::new();
    for (title, bytes) in [
        ("an unknown route", request("GET", "/nowhere", "", "")),
        ("another method", request("DELETE", "/api/v1/users", "", "")),
        ("a path that is not encoded", request("GET", &format!("{media}/<media_id>"), &user, "")),
        ("too little of a path", request("GET", "/api/v1/messages/media", &user, "")),
        ("no token", request("GET", "/api/v1/users", "", "")),
        ("a wrong token", request("GET", "/api/v1/users", "Authorization: Bearer x\r\n", "")),
        ("a large body", request("POST", "/api/v1/notifications/send", &service, &large)),
        ("no JSON", request("POST", "/api/v1/notifications/send", &service, "{")),
        ("text", request("POST", "/api/v1/notifications/send", &service.replace("json", "text"), "{}")),
        ("a long path", request("GET", &long, "", "")),
        ("many headers", request("GET", "/api/v1/health", &many, "")),
        ("two lengths", request("GET", "/api/v1/health", "Content-Length: 9\r\n", "")),
        ("a coding that is none", request("POST", "/auth/hub-login", "Transfer-Encoding: x\r\n", "")),
        ("no HTTP", "EHLO example.org\r\n\r\n".to_owned()),
        ("another version", "GET / HTTP/3.0\r\n\r\n".to_owned()),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
        ("a header without a name", request("GET", "/", ": x\r\n", "")),
    ] {
        let answer =
            exchange(&test_app, bytes.as_bytes()).await.unwrap_or_else(|| panic!("{title}: no answer"));
        writeln!(lines, "{title}: {} {}", answer.status, answer.code(title)).expect("written");
    }
    insta::assert_snapshot!(lines, @r"
    an unknown route: 404 not_found
    another method: 405 method_not_allowed
    a path that is not encoded: 400 invalid_request
    too little of a path: 404 not_found
    no token: 401 token_missing
    a wrong token: 401 token_invalid
    a large body: 413 body_too_large
    no JSON: 422 invalid_json
    text: 415 unsupported_media_type
    a long path: 431 head_too_large
    many headers: 431 head_too_large
    two lengths: 400 invalid_request
    a coding that is none: 400 invalid_request
    no HTTP: 400 invalid_request
    another version: 400 invalid_request
    HTTP/2: 400 invalid_request
    a header without a name: 400 invalid_request
    ");
}

#[tokio::test]
async fn browsers_get_the_web_messenger_and_programs_json() {
    let test_app = test_app().await;
    for (accept, kind) in [("text/html,*/*;q=0.8", "text/html; charset=utf-8"), ("*/*", "application/json")] {
        let answer = test_app.request(Method::GET, "/").header("Accept", accept).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().ok()),
            (200, Some(kind))
        );
    }
    let head = exchange(&test_app, request("HEAD", "/", "Accept: text/html\r\n", "").as_bytes()).await;
    let head = head.expect("an answer");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.header("content-type").starts_with("text/html"));
}
