//! Muting rooms, on the wire.

use std::time::Duration;

use axum::http::Method;
use messenger_core::{
    event::Kind,
    id::{MatrixUserId, RoomId},
};
use messenger_runtime::testing::TestResponse;
use serde_json::{Value, json};

use crate::{TestApp, as_one, by, segment};

fn path(room: &str) -> String {
    format!("/api/v1/rooms/{}/mute", segment(room))
}

async fn mute(app: &TestApp, user: &str, method: Method, room: &str) -> TestResponse {
    app.wire.ask(by(user, method, &path(room))).await
}

async fn is_muted(app: &TestApp, user: &str, room: &str) -> Value {
    let rooms = app.wire.ask(by(user, Method::GET, "/api/v1/rooms")).await.body["rooms"].clone();
    let rooms = rooms.as_array().expect("rooms").clone();
    rooms.into_iter().find(|one| one["matrix_room_id"] == room).expect("the room")["muted"].clone()
}

#[tokio::test]
async fn a_room_is_muted_for_its_user_alone() {
    let app = TestApp::with(&["anna", "bert"]).await;
    let room = app.made("anna", "Umbau", &["bert"]).await;
    for (method, muted) in
        [(Method::PUT, true), (Method::PUT, true), (Method::DELETE, false), (Method::DELETE, false)]
    {
        let answer = mute(&app, "anna", method, &room).await;
        assert_eq!((answer.status, answer.body), (204, json!("")));
        assert_eq!(is_muted(&app, "anna", &room).await, json!(muted));
        assert_eq!(is_muted(&app, "bert", &room).await, json!(false));
    }
    let events = app.messenger.memory.events().into_iter().filter(|event| event.kind == Kind::RoomMuted);
    let events: Vec<_> = events.map(|event| (event.audience.to_string(), event.json())).collect();
    let audiences: Vec<_> = events.iter().map(|(audience, _)| audience.as_str()).collect();
    assert_eq!(audiences, ["t1:u:anna", "t1:u:anna"], "one event for each change");
    assert!(events[0].1.ends_with("\"muted\":true}") && events[1].1.ends_with("\"muted\":false}"));
}

#[tokio::test]
async fn other_clients_get_a_push_rule() {
    let app = TestApp::with(&["anna"]).await;
    let room = app.made("anna", "Umbau", &[]).await;
    mute(&app, "anna", Method::PUT, &room).await;
    let (anna, room) = (MatrixUserId::new("@anna:hub.local"), RoomId::new(room));
    // It is sent after the answer.
    let is_silent = async {
        while !app.messenger.homeserver.is_silent(&room, &anna) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), is_silent).await.expect("the rule is set");
}

#[tokio::test]
async fn viewers_mute_their_rooms_and_outsiders_find_none() {
    let app = TestApp::with(&["anna", "viola"]).await;
    let room = app.made("anna", "Umbau", &["viola"]).await;
    let viewer = app.wire.ask(as_one("viola", "viewer", 1, Method::PUT, &path(&room))).await;
    assert_eq!(viewer.status, 204);
    for (user, tenant) in [("carl", 1), ("fritz", 2)] {
        let outsider = app.wire.ask(as_one(user, "admin", tenant, Method::PUT, &path(&room))).await;
        assert_eq!((outsider.status, &outsider.body["detail"]), (404, &json!("room not found")), "{user}");
    }
    assert_eq!(mute(&app, "anna", Method::DELETE, "!nowhere").await.status, 404);
    assert_eq!(mute(&app, "anna", Method::POST, &room).await.status, 405);
    app.messenger.homeserver.switch_off();
    assert_eq!(mute(&app, "anna", Method::PUT, &room).await.status, 204, "it works without the homeserver");
}
