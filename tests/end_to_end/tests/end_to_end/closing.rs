//! A room that an administrator closes is gone here and on the homeserver, and its key gets another one. The
//! figures of the tenant count the streams of other processes.

use messenger_testkit::fixtures::{self, TENANT};
use messenger_tests::{Client, Stack, TestResponse, TestUser, client::fetch, encoded, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn to_machine(title: &str) -> Value {
    json!({
        "source_app": "fertigungs-app", "event_type": "entity_event", "title": title,
        "target_type": "entity_room", "entity_type": "machine", "entity_id": 42,
    })
}

fn room_of(response: &TestResponse) -> String {
    response.body["matrix_room_id"].as_str().expect("a room id").to_owned()
}

async fn close(chief: &TestUser, room: &str) -> TestResponse {
    fetch(chief.request(Method::DELETE, &format!("/api/v1/admin/rooms/{}", encoded(room)))).await
}

#[tokio::test]
async fn a_closed_room_is_gone_here_and_on_the_homeserver() {
    let stack = Stack::start().await;
    let client = stack.client();
    let [anna, bert] = client.provisioned_users(["anna", "bert"]).await;
    let chief = client.user_with_role("chief", "admin", 1);
    let room = room_of(&client.notify(&to_machine("first")).await);
    let path = format!("/api/v1/rooms/{}", encoded(&room));
    for user in [&anna, &bert] {
        assert_eq!(user.post(&format!("{path}/join"), &json!({})).await.status, StatusCode::OK);
    }
    let element = stack.matrix("bert").await;
    assert!(element.rooms(2).await.contains(&room));
    let mut stream = anna.stream(None).await;

    let closed = close(&chief, &room).await;
    assert_eq!((closed.status, &closed.body["deleted"]), (StatusCode::OK, &json!(true)), "{}", closed.body);
    let left = stream.next_of("room_left").await;
    assert_eq!((&left["room_id"], &left["reason"]), (&json!(room), &json!("closed")));
    assert_eq!(anna.post(&format!("{path}/join"), &json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(anna.get(&format!("{path}/members")).await.status, StatusCode::NOT_FOUND);
    let text = json!({ "room_id": room, "body": "hello" });
    assert_eq!(anna.post("/api/v1/messages/send", &text).await.status, StatusCode::NOT_FOUND);
    let history = anna.get(&format!("/api/v1/messages/history/{}", encoded(&room))).await;
    assert_eq!(history.status, StatusCode::NOT_FOUND, "{}", history.body);
    wait_until("Bert is out of the room", async || !element.rooms(0).await.contains(&room)).await;
    let bot = stack.matrix_bot().await;
    wait_until("the bot is out of the room", async || !bot.rooms(0).await.contains(&room)).await;
    let alias = fixtures::machine(42, "").room_key(TENANT).alias();
    let alias = format!("#{alias}:{}", stack.server_name());
    wait_until("the alias is free", async || bot.room_of_alias(&alias).await.is_none()).await;

    let sent = client.notify(&to_machine("second")).await;
    assert_eq!(sent.body["status"], "sent", "{}", sent.body);
    let next = room_of(&sent);
    assert_ne!(next, room);
    assert_eq!(bot.room_of_alias(&alias).await, Some(next));
    assert_eq!(close(&chief, &room).await.body["already_closed"], true);
}

#[tokio::test]
async fn a_member_of_another_client_is_out_of_a_closed_room() {
    let stack = Stack::start().await;
    let [anna] = stack.client().provisioned_users(["anna"]).await;
    let chief = stack.client().user_with_role("chief", "admin", 1);
    let created = anna.post("/api/v1/rooms", &json!({ "name": "Umbau" })).await;
    let room = room_of(&created);
    let (element, guest) = (stack.matrix("anna").await, stack.foreign_matrix("guest").await);
    element.invite(&room, &format!("@guest:{}", stack.server_name())).await;
    guest.join(&room).await;
    assert_eq!(guest.rooms(1).await, [room.as_str()]);
    assert_eq!(close(&chief, &room).await.status, StatusCode::OK);
    wait_until("the guest is out of the room", async || guest.rooms(0).await.is_empty()).await;
    wait_until("Anna is out of the room", async || !element.rooms(0).await.contains(&room)).await;
}

#[tokio::test]
async fn the_figures_count_the_streams_of_all_processes() {
    let stack = Stack::start().await;
    let chief = stack.client().user_with_role("chief", "admin", 1);
    let figures = async || chief.get("/api/v1/admin/stats").await.body;
    assert_eq!(figures().await["conduit_status"], "online");
    let (events, _service) = stack.start_copy("events").await;
    let elsewhere = Client::new(&events).user("anna");
    let _streams = [elsewhere.stream(None).await, chief.stream(None).await];
    wait_until("both streams are counted", async || figures().await["sse_connections"] == 2).await;
}
