//! Saying that one types, on the wire.

use std::time::Duration;

use axum::http::Method;
use messenger_core::id::{MatrixUserId, RoomId};
use messenger_runtime::testing::TestResponse;
use serde_json::{Value, json};

use crate::{Stand, as_one, segment};

/// Anna, and a room of hers.
async fn with_anna() -> (Stand, String) {
    let stand = Stand::with(&["anna"]).await;
    let room = stand.made("anna", "Umbau", &[]).await;
    (stand, room)
}

fn path(room: &str) -> String {
    format!("/api/v1/rooms/{}/typing", segment(room))
}

async fn say(stand: &Stand, room: &str, body: &Value) -> TestResponse {
    stand.post("anna", &path(room), body).await
}

fn typing(stand: &Stand, room: &str) -> Vec<(MatrixUserId, Duration)> {
    stand.messenger.homeserver.typing(&RoomId::new(room))
}

#[tokio::test]
async fn the_homeserver_is_told_for_how_long() {
    let (stand, room) = with_anna().await;
    let anna = MatrixUserId::new("@anna:hub.local");
    for (body, ms) in [
        (json!({ "typing": true }), 30_000),
        (json!({ "typing": true, "timeout_ms": null }), 30_000),
        (json!({ "typing": true, "timeout_ms": 1000 }), 1000),
        (json!({ "typing": true, "timeout_ms": 60_000 }), 60_000),
    ] {
        let answer = say(&stand, &room, &body).await;
        assert_eq!((answer.status, answer.body), (204, json!("")), "{body}");
        assert_eq!(typing(&stand, &room), [(anna.clone(), Duration::from_millis(ms))], "{body}");
    }
    assert_eq!(say(&stand, &room, &json!({ "typing": false })).await.status, 204);
    assert_eq!(typing(&stand, &room), []);
}

#[tokio::test]
async fn milliseconds_may_be_written_as_any_number() {
    let (stand, room) = with_anna().await;
    for timeout in ["5000.0", "5e3"] {
        let request = crate::by("anna", Method::POST, &path(&room));
        let body = format!("{{\"typing\": true, \"timeout_ms\": {timeout}}}");
        assert_eq!(stand.wire.call(request, body).await.status, 204, "{timeout}");
    }
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let (stand, room) = with_anna().await;
    let missing = json!({ "pointer": "/typing", "message": "is required: true or false" });
    let timeout = json!({ "pointer": "/timeout_ms", "message": "must be a whole number of milliseconds from 1000 to 60000" });
    for (body, errors) in [
        (json!({}), json!([missing])),
        (json!({ "typing": null }), json!([missing])),
        (json!({ "typing": "true" }), json!([missing])),
        (json!({ "typing": 1, "timeout_ms": 0 }), json!([missing, timeout])),
        (json!({ "typing": true, "timeout_ms": 999 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": 60_001 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": -1 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": 1500.5 }), json!([timeout])),
        (json!({ "typing": true, "timeout_ms": "30000" }), json!([timeout])),
        (json!({ "typing": false, "timeout_ms": u64::MAX }), json!([timeout])),
    ] {
        let answer = say(&stand, &room, &body).await;
        assert_eq!((answer.status, &answer.body["errors"]), (422, &errors), "{body}");
    }
    assert_eq!(typing(&stand, &room), []);
}

#[tokio::test]
async fn only_members_who_may_write_say_that_they_type() {
    let (stand, room) = with_anna().await;
    stand.adopted("!a/../b?c#d", &["bert"]).await;
    let body = json!({ "typing": true });
    for elsewhere in ["!a/../b?c#d", "!nowhere", "#alias", "..", "!a\0b"] {
        let answer = say(&stand, elsewhere, &body).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{elsewhere}");
    }
    let by = async |role, tenant| {
        let request = as_one("anna", role, tenant, Method::POST, &path(&room));
        stand.wire.call(request.header("Content-Type", "application/json"), body.to_string()).await
    };
    assert_eq!(by("user", 2).await.status, 404);
    let (stand, room) = with_anna().await;
    let request = as_one("anna", "viewer", 1, Method::POST, &path(&room));
    let viewer = stand.wire.call(request.header("Content-Type", "application/json"), body.to_string()).await;
    assert_eq!((viewer.status, &viewer.body["code"]), (403, &json!("read_only_role")));
    assert_eq!(typing(&stand, &room), []);
}

#[tokio::test]
async fn without_the_homeserver_it_is_503() {
    let (stand, room) = with_anna().await;
    stand.messenger.homeserver.switch_off();
    let answer = say(&stand, &room, &json!({ "typing": true })).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("homeserver_unavailable")));
}
