//! The rate limit of a user's rooms and invitations, and the size of small bodies.

use axum::http::Method;
use messenger_runtime::testing::Wire;
use serde_json::json;

use crate::{TestApp, by, routes, segment};

#[tokio::test(start_paused = true)]
async fn rooms_chats_and_invitations_of_a_user_are_counted_together() {
    let TestApp { messenger, .. } = TestApp::with(&["anna", "bert"]).await;
    let wire = Wire::configured(routes(), &messenger, &[("LIMIT_SENDS_PER_USER", "3")]);
    let app = TestApp { messenger, wire };
    let room = app.made("anna", "Projekt", &[]).await;
    let invite = format!("/api/v1/rooms/{}/invite", segment(&room));
    assert_eq!(app.post("anna", &invite, &json!({ "hub_user_id": "bert" })).await.status, 200);
    assert_eq!(app.post("anna", "/api/v1/rooms/dm/bert", &json!({})).await.status, 200);
    for path in ["/api/v1/rooms", "/api/v1/rooms/dm/bert", &invite] {
        let refused = app.wire.call(by("anna", Method::POST, path), "no JSON").await;
        assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")), "{path}");
        assert_eq!(refused.all_headers["retry-after"], "20");
    }
    assert_eq!(app.get("anna", "/api/v1/rooms").await.status, 200);
    assert_eq!(app.post("bert", "/api/v1/rooms/dm/anna", &json!({})).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn who_types_or_is_invited_is_said_in_few_bytes() {
    let app = TestApp::with(&["anna", "bert"]).await;
    let room = app.made("anna", "Projekt", &[]).await;
    for (act, name) in [("invite", "hub_user_id"), ("typing", "typing")] {
        let path = format!("/api/v1/rooms/{}/{act}", segment(&room));
        let refused = app.post("anna", &path, &json!({ name: "x".repeat(16_384) })).await;
        assert_eq!((refused.status, &refused.body["code"]), (413, &json!("body_too_large")), "{act}");
    }
}
