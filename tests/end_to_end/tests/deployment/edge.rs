//! The edge: streams without a buffer, and other Matrix clients by its two ports.

use std::time::{Duration, Instant};

use futures::future::join_all;
use messenger_tests::{Client, Stack, control_of_deployment, encoded};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// The addresses of the edge in the deployment's network.
const SERVICE: &str = "https://edge:8085";
const MATRIX: [&str; 2] = ["https://edge:8448", "http://edge:8008"];
/// The longest time between the acceptance of a notification and its event on a stream.
const PROMPT: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_through_the_edge_within_50_ms_of_its_acceptance() {
    let Some(_control) = control_of_deployment() else { return };
    let stack = Stack::start().await;
    let (satellite, browser) = (stack.client(), Client::new(SERVICE));
    let user = browser.user("mueller");
    user.wait_until_provisioned().await;
    let mut stream = user.stream(None).await;
    let mut delays = Vec::new();
    for n in 0..40 {
        let body = json!({ "source_app": "a", "event_type": "e", "title": n.to_string() });
        let accepted = async {
            let response = satellite.notify_with(&body, "?wait=0", None).await;
            assert_eq!(response.status, StatusCode::CREATED);
            Instant::now()
        };
        let arrived = async {
            let event = stream.next_of("notification").await;
            assert_eq!(event["title"], n.to_string());
            Instant::now()
        };
        let (accepted, arrived) = tokio::join!(accepted, arrived);
        delays.push(arrived.saturating_duration_since(accepted));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    delays.sort_unstable();
    let (median, late) = (delays[delays.len() / 2], delays[delays.len() * 9 / 10]);
    println!("events through the edge: median {median:?}, 90 of 100 within {late:?}");
    assert!(late < PROMPT, "90 of 100 events within {late:?}: {delays:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn element_discovers_logs_in_and_reads_a_notification_through_both_ports() {
    let Some(_control) = control_of_deployment() else { return };
    let stack = Stack::start().await;
    let (user, administrator) =
        (stack.client().user("mueller"), stack.client().user_with_role("boss", "admin", 1));
    user.wait_until_provisioned().await;
    let access = "/api/v1/admin/users/mueller/external-access";
    let enabled = administrator.post(access, &json!({ "enabled": true })).await;
    assert_eq!(enabled.status, StatusCode::OK, "{}", enabled.body);
    let access = user.get("/api/v1/users/me/external-client").await;
    assert_eq!(access.status, StatusCode::OK, "{}", access.body);
    let notification = json!({ "source_app": "a", "event_type": "e", "title": "hello, Element" });
    let accepted = stack.client().notify(&notification).await;
    assert_eq!(accepted.body["status"], "sent", "{}", accepted.body);
    let room = accepted.body["matrix_room_id"].as_str().expect("the room of the notification");
    let http = reqwest_of_edge();
    for address in MATRIX {
        let discovered =
            http.get(format!("{address}/.well-known/matrix/client")).send().await.expect("an answer");
        assert_eq!(discovered.status(), StatusCode::OK, "{address}");
        assert_eq!(discovered.headers()["access-control-allow-origin"], "*", "{address}");
        let discovered: Value = discovered.json().await.expect("JSON");
        assert_eq!(discovered["m.homeserver"]["base_url"], address);
        assert_eq!(discovered["io.element.e2ee"]["default"], false);
        let http = Client::new(address);
        let login = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": access.body["username"] },
            "password": access.body["password"],
        });
        let token = element(&http, reqwest::Method::POST, "/login", None, Some(&login)).await;
        let token = token["access_token"].as_str().expect("a token");
        let sync = element(&http, reqwest::Method::GET, "/sync?timeout=0", Some(token), None).await;
        let events = sync["rooms"]["join"][room]["timeline"]["events"].as_array().expect("events");
        let is_notification = |event: &Value| event.to_string().contains("hello, Element");
        assert!(events.iter().any(is_notification), "{address}: {sync}");
        let path = format!("/rooms/{}/send/m.room.message/{}", encoded(room), uuid::Uuid::new_v4());
        let text = json!({ "msgtype": "m.text", "body": address });
        let sent = element(&http, reqwest::Method::PUT, &path, Some(token), Some(&text)).await;
        assert!(sent["event_id"].is_string(), "{address}: {sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn administration_of_the_homeserver_is_closed_at_the_edge() {
    let Some(_control) = control_of_deployment() else { return };
    let _stack = Stack::start().await;
    let http = reqwest_of_edge();
    for address in MATRIX {
        let paths = [
            "/_synapse/admin/v1/server_version",
            "/_synapse/client/x",
            "/_matrix/client/v3/admin/whois/@mueller:hub.local",
            "/",
            "/.well-known/matrix/server",
        ];
        let statuses = join_all(paths.map(|path| {
            let request = http.get(format!("{address}{path}"));
            async move { request.send().await.expect("a response").status() }
        }));
        for (path, status) in paths.iter().zip(statuses.await) {
            assert_eq!(status, StatusCode::NOT_FOUND, "{address}{path}");
        }
    }
}

/// Makes a request as Element does. Returns the JSON of a successful response.
async fn element(
    client: &Client,
    method: reqwest::Method,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Value {
    let request = client.request(method, &format!("/_matrix/client/v3{path}"));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    let response = request.send().await.expect("a response");
    let status = response.status();
    let body: Value = response.json().await.expect("JSON of the homeserver");
    assert!(status.is_success(), "{path}: {status} {body}");
    body
}

fn reqwest_of_edge() -> reqwest::Client {
    messenger_tests::client::builder().build().expect("an HTTP client")
}
