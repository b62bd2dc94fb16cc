//! The rate limit of a user's rooms and invitations, and the size of small bodies.

use axum::http::Method;
use messenger_runtime::testing::Wire;
use serde_json::json;

use crate::{Stand, by, routes, segment};

#[tokio::test(start_paused = true)]
async fn rooms_chats_and_invitations_of_a_user_are_counted_together() {
    let Stand { messenger, .. } = Stand::with(&["anna", "bert"]).await;
    let ports = messenger.memory.ports(&messenger.homeserver, &messenger.clock);
    let wire = Wire::configured(routes(), ports, &[("LIMIT_SENDS_PER_USER", "3")]);
    let stand = Stand { messenger, wire };
    let room = stand.made("anna", "Projekt", &[]).await;
    let invite = format!("/api/v1/rooms/{}/invite", segment(&room));
    assert_eq!(stand.post("anna", &invite, &json!({ "hub_user_id": "bert" })).await.status, 200);
    assert_eq!(stand.post("anna", "/api/v1/rooms/dm/bert", &json!({})).await.status, 200);
    for path in ["/api/v1/rooms", "/api/v1/rooms/dm/bert", &invite] {
        let refused = stand.wire.call(by("anna", Method::POST, path), "no JSON").await;
        assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")), "{path}");
        assert_eq!(refused.all_headers["retry-after"], "20");
    }
    assert_eq!(stand.get("anna", "/api/v1/rooms").await.status, 200);
    assert_eq!(stand.post("bert", "/api/v1/rooms/dm/anna", &json!({})).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn who_types_or_is_invited_is_said_in_few_bytes() {
    let stand = Stand::with(&["anna", "bert"]).await;
    let room = stand.made("anna", "Projekt", &[]).await;
    for (act, name) in [("invite", "hub_user_id"), ("typing", "typing")] {
        let path = format!("/api/v1/rooms/{}/{act}", segment(&room));
        let refused = stand.post("anna", &path, &json!({ name: "x".repeat(16_384) })).await;
        assert_eq!((refused.status, &refused.body["code"]), (413, &json!("body_too_large")), "{act}");
    }
}
