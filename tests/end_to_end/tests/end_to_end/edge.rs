//! The edge in front of a running service: TLS, streams, and the paths of the homeserver that it passes on.

use std::time::{Duration, Instant};

use messenger_devstack::edge::Edge;
use messenger_tests::{Plan, Stack, is_skipped_on_deployment, is_skipped_on_lambda};
use reqwest::{Certificate, Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

/// The longest that bytes may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A whole service behind an edge.
struct Edged {
    stack: Stack,
    edge: Edge,
    /// An HTTP client that trusts the edge's authority.
    http: reqwest::Client,
}

impl Edged {
    async fn start() -> Self {
        // The edge is on this machine.
        let environment = vec![("TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned())];
        let stack = Stack::start_with(Plan { environment, ..Plan::default() }).await;
        let homeserver = stack.homeserver.as_ref().expect("a homeserver").url();
        let homeserver = homeserver.trim_start_matches("http://");
        let edge = Edge::start(&stack.client().address(), homeserver).await.expect("an edge");
        let authority = Certificate::from_pem(edge.authority()).expect("a certificate");
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build();
        Self { stack, edge, http: http.expect("an HTTP client") }
    }

    /// Sends a `GET`. Returns the status and the body.
    async fn get(&self, url: &str) -> (StatusCode, String) {
        let response = self.http.get(url).send().await.expect("a response");
        (response.status(), response.text().await.expect("a body"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_reach_the_service_by_tls_and_get_each_event_at_once() {
    if is_skipped_on_deployment("it starts another edge") {
        return;
    }
    let edged = Edged::start().await;
    let (url, user) = (edged.edge.service_url(), edged.stack.client().user("mueller"));
    let (status, health) = edged.get(&format!("{url}/api/v1/health")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(health.contains("\"healthy\""), "{health}");

    let stream = edged.http.get(format!("{url}/api/v1/events/stream?token={}", user.token));
    let mut stream = stream.send().await.expect("a stream");
    let mut read = String::new();
    let mut sent_at = None;
    while !read.contains("Durch die Kante") {
        let piece = timeout(PATIENCE, stream.chunk()).await.expect("bytes in time").expect("bytes");
        read += &String::from_utf8_lossy(&piece.expect("the stream goes on"));
        if sent_at.is_none() && read.contains("\"type\":\"connected\"") {
            let body = json!({ "source_app": "a", "event_type": "e", "title": "Durch die Kante" });
            assert!(edged.stack.client().notify_with(&body, "?wait=0", None).await.status.is_success());
            sent_at = Some(Instant::now());
        }
    }
    // Far below the interval of keepalives, which would push out a buffered event.
    let late = sent_at.expect("it was sent").elapsed();
    assert!(late < Duration::from_secs(5), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_a_router_that_restarts() {
    if is_skipped_on_deployment("it starts another edge") {
        return;
    }
    let mut edged = Edged::start().await;
    let url = format!("{}/livez", edged.edge.service_url());
    assert_eq!(edged.get(&url).await.0, StatusCode::OK);
    edged.stack.router().stop().await;
    let waiting = edged.http.get(&url).send();
    let (answered, started) = tokio::join!(waiting, edged.stack.router().start_again());
    started.expect("a router");
    assert_eq!(answered.expect("a response").status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_cannot_state_what_a_proxy_would() {
    if is_skipped_on_lambda("Lambda tells the client's address, no proxy") {
        return;
    }
    if is_skipped_on_deployment("it starts another edge") {
        return;
    }
    let edged = Edged::start().await;
    let user = edged.stack.client().user("mueller");
    let session = async |url: &str, origin: &str, forwarded: Option<&str>| {
        let request = edged.http.request(Method::POST, format!("{url}/auth/session"));
        let request = request.bearer_auth(&user.token).header("Origin", origin);
        let request = match forwarded {
            Some(host) => request.header("X-Forwarded-Host", host),
            None => request,
        };
        request.send().await.expect("a response").status().as_u16()
    };
    let (url, evil) = (edged.edge.service_url(), "https://evil.example");
    assert_eq!(session(&url, &url, None).await, 200);
    assert_eq!(session(&url, evil, Some("evil.example")).await, 403);
    // The same request would be accepted from a proxy.
    let router = format!("http://{}", edged.stack.client().address());
    assert_eq!(session(&router, evil, Some("evil.example")).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_matrix_clients_discover_the_homeserver_and_reach_no_more_than_they_need() {
    if is_skipped_on_deployment("it starts another edge") {
        return;
    }
    let edged = Edged::start().await;
    for url in edged.edge.matrix_urls() {
        let (status, text) = edged.get(&format!("{url}/.well-known/matrix/client")).await;
        assert_eq!(status, StatusCode::OK);
        let discovered: Value = serde_json::from_str(&text).expect("JSON");
        let expected = json!({
            "m.homeserver": { "base_url": url },
            "io.element.e2ee": { "default": false, "force_disable": true },
        });
        assert_eq!(discovered, expected);
        let (status, versions) = edged.get(&format!("{url}/_matrix/client/versions")).await;
        assert!(status == StatusCode::OK && versions.contains("\"versions\""), "{versions}");
        for closed in [
            "/",
            "/_matrix",
            "/.well-known/matrix/server",
            "/_synapse/admin/v1/server_version",
            "/_synapse/client/password_reset",
            "/_matrix/%2e%2e/_synapse/admin/v1/server_version",
            "/_matrix/client/v3/admin/whois/@mueller:hub.local",
            "/_matrix/client/v3/%61dmin/whois/@mueller:hub.local",
        ] {
            assert_eq!(edged.get(&format!("{url}{closed}")).await, (StatusCode::NOT_FOUND, String::new()));
        }
        for path in
            ["/_matrix/client/v3/register", "/_matrix/client/r0/register", "/_matrix/client/v3//register"]
        {
            let request = edged.http.post(format!("{url}{path}")).json(&json!({}));
            let response = request.send().await.expect("a response");
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
            let refusal: Value = response.json().await.expect("JSON");
            assert_eq!(refusal["errcode"], "M_FORBIDDEN");
        }
    }
}
