//! Typing, on the wire.

use std::time::Duration;

use axum::http::Method;
use messenger_core::id::{MatrixUserId, RoomId};
use messenger_runtime::testing::TestResponse;
use serde_json::{Value, json};

use crate::{TestApp, as_one, segment};

/// Returns the function with anna and a room of hers.
async fn with_anna() -> (TestApp, String) {
    let app = TestApp::with(&["anna"]).await;
    let room = app.made("anna", "Umbau", &[]).await;
    (app, room)
}

fn path(room: &str) -> String {
    format!("/api/v1/rooms/{}/typing", segment(room))
}

async fn post_typing(app: &TestApp, room: &str, body: &Value) -> TestResponse {
    app.post("anna", &path(room), body).await
}

fn typing(app: &TestApp, room: &str) -> Vec<(MatrixUserId, Duration)> {
    app.messenger.homeserver.typing(&RoomId::new(room))
}

#[tokio::test]
async fn the_homeserver_gets_the_timeout() {
    let (app, room) = with_anna().await;
    let anna = MatrixUserId::new("@anna:hub.local");
    for (body, ms) in [
        (json!({ "typing": true }), 30_000),
        (json!({ "typing": true, "timeout_ms": null }), 30_000),
        (json!({ "typing": true, "timeout_ms": 1000 }), 1000),
        (json!({ "typing": true, "timeout_ms": 60_000 }), 60_000),
    ] {
        let answer = post_typing(&app, &room, &body).await;
        assert_eq!((answer.status, answer.body), (204, json!("")), "{body}");
        assert_eq!(typing(&app, &room), [(anna.clone(), Duration::from_millis(ms))], "{body}");
    }
    assert_eq!(post_typing(&app, &room, &json!({ "typing": false })).await.status, 204);
    assert_eq!(typing(&app, &room), []);
}

#[tokio::test]
async fn milliseconds_may_have_any_notation_of_a_number() {
    let (app, room) = with_anna().await;
    for timeout in ["5000.0", "5e3"] {
        let request = crate::by("anna", Method::POST, &path(&room));
        let body = format!("{{\"typing\": true, \"timeout_ms\": {timeout}}}");
        assert_eq!(app.wire.call(request, body).await.status, 204, "{timeout}");
    }
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let (app, room) = with_anna().await;
    let missing = json!({ "pointer": "/typing", "message": "is required: true or false" });
    let wrong = json!({ "pointer": "/typing", "message": "must be true or false" });
    let timeout = json!({ "pointer": "/timeout_ms", "message": "must be a whole number of milliseconds from 1000 to 60000" });
    for (body, errors) in [
        (json!({}), json!([missing])),
        (json!({ "typing": null }), json!([missing])),
        (json!({ "typing": "true" }), json!([wrong])),
        (json!({ "typing": 1, "timeout_ms": 0 }), json!([wrong, timeout])),
        (json!({ "typing": true, "timeout_ms": 999 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": 60_001 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": -1 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": 1500.5 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": "30000" }), json!([timeout])),
        (json!({ "typing": false, "timeout_ms": u64::MAX }), json!([timeout])),
    ] {
        let answer = post_typing(&app, &room, &body).await;
        assert_eq!((answer.status, &answer.body["errors"]), (422, &errors), "{body}");
    }
    assert_eq!(typing(&app, &room), []);
}

#[tokio::test]
async fn only_members_who_may_write_may_type() {
    let (app, room) = with_anna().await;
    app.adopted("!a/../b?c#d", &["bert"]).await;
    let body = json!({ "typing": true });
    for elsewhere in ["!a/../b?c#d", "!nowhere", "#alias", "..", "!a\0b"] {
        let answer = post_typing(&app, elsewhere, &body).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{elsewhere}");
    }
    let by = async |role, tenant| {
        let request = as_one("anna", role, tenant, Method::POST, &path(&room));
        app.wire.call(request.header("Content-Type", "application/json"), body.to_string()).await
    };
    assert_eq!(by("user", 2).await.status, 404);
    let (app, room) = with_anna().await;
    let request = as_one("anna", "viewer", 1, Method::POST, &path(&room));
    let viewer = app.wire.call(request.header("Content-Type", "application/json"), body.to_string()).await;
    assert_eq!((viewer.status, &viewer.body["code"]), (403, &json!("read_only_role")));
    assert_eq!(typing(&app, &room), []);
}

#[tokio::test]
async fn without_the_homeserver_it_is_503() {
    let (app, room) = with_anna().await;
    app.messenger.homeserver.switch_off();
    let answer = post_typing(&app, &room, &json!({ "typing": true })).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("homeserver_unavailable")));
}
