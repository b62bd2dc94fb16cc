//! Users who invite and write with other Matrix clients to users who have none.

use messenger_tests::{Stack, TestUser, encoded, eventually};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn listed(user: &TestUser, of: impl Fn(&Value) -> bool) -> Option<Value> {
    let response = user.get("/api/v1/rooms").await;
    response.body["rooms"].as_array().expect("a list").iter().find(|room| of(room)).cloned()
}

/// Enables access with other Matrix clients for a user, as an administrator does.
async fn allow(stack: &Stack, user: &str) {
    let sql = "update users set external_client_enabled = true where hub_user_id = $1 returning hub_user_id";
    stack.query(sql, user).await.expect("a user");
}

#[tokio::test]
async fn a_user_invited_before_the_first_sign_in_is_in_the_room_after_it() {
    let stack = Stack::start().await;
    let anna = stack.client().user("anna");
    anna.wait_until_provisioned().await;
    allow(&stack, "anna").await;
    let element = stack.matrix("anna").await;
    let guest = format!("@dora:{}", stack.server_name());
    let room = json!({ "name": "Umbau", "preset": "private_chat", "room_version": "11", "invite": [guest] });
    let room = element.create_room(room).await;
    element.send_text(&room, "eins").await;
    eventually(async || listed(&anna, |listed| listed["matrix_room_id"] == room.as_str()).await).await;
    let dora = stack.client().user("dora");
    dora.wait_until_provisioned().await;
    let room_view =
        eventually(async || listed(&dora, |listed| listed["matrix_room_id"] == room.as_str()).await).await;
    assert_eq!(room_view["display_name"], "Umbau");
    let body = json!({ "room_id": room, "body": "zwei" });
    assert_eq!(dora.post("/api/v1/messages/send", &body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_member_invites_into_a_room_of_the_service_with_another_client() {
    let stack = Stack::start().await;
    let client = stack.client();
    let users = ["anna", "bert", "carl"].map(|name| client.user(name));
    for user in &users {
        user.wait_until_provisioned().await;
    }
    let [anna, bert, carl] = &users;
    let created = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": ["bert"] })).await;
    let room = created.body["matrix_room_id"].as_str().expect("a room").to_owned();
    assert_eq!(created.body["encrypted"], false);
    let is_room = |listed: &Value| listed["matrix_room_id"] == room.as_str();
    stack.matrix("bert").await.invite(&room, &format!("@carl:{}", stack.server_name())).await;
    eventually(async || listed(carl, is_room).await).await;
    assert_eq!(
        bert.get(&format!("/api/v1/rooms/{}/members", encoded(&room))).await.body.as_array().map(Vec::len),
        Some(3)
    );
}

#[tokio::test]
async fn an_encrypted_chat_with_a_user_without_a_matrix_client_leads_to_a_plain_one() {
    let stack = Stack::start().await;
    let [_, bert] = stack.client().provisioned_users(["anna", "bert"]).await;
    allow(&stack, "anna").await;
    let element = stack.matrix("anna").await;
    // As Element opens a direct chat.
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let room = json!({
        "preset": "trusted_private_chat", "is_direct": true, "invite": [format!("@bert:{}", stack.server_name())],
        "initial_state": [{ "type": "m.room.encryption", "state_key": "", "content": encryption }],
    });
    let encrypted = element.create_room(room).await;
    let plain =
        eventually(async || listed(&bert, |listed| listed["display_name"] == "Name von anna").await).await;
    let plain = plain["matrix_room_id"].as_str().expect("a room id");
    let notice = eventually(async || {
        let messages = element.messages(&encrypted).await;
        messages.iter().find(|event| event["content"]["msgtype"] == "m.notice").cloned()
    })
    .await;
    let text = notice["content"]["body"].as_str().expect("a body");
    assert!(text.contains(&format!("https://matrix.to/#/{plain}")), "{text}");
    let bot = format!("@messenger:{}", stack.server_name());
    eventually(async || {
        let state = element.members(&encrypted).await;
        (!state.contains(&bot)).then_some(())
    })
    .await;
    let history = bert.get(&format!("/api/v1/messages/history/{}", encoded(plain))).await.body;
    assert!(
        history["messages"][0]["body"].as_str().is_some_and(|body| body.contains("verschlüsselten Chat")),
        "{history}"
    );
    // Later events in the encrypted room have no effect.
    element
        .send(
            &encrypted,
            "m.room.encrypted",
            json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" }),
        )
        .await;
    element.set_state(&encrypted, "m.room.topic", json!({ "topic": "x" })).await;
    element.send_text(plain, "Hallo").await;
    let is_updated = |listed: &Value| listed["matrix_room_id"] == plain && listed["last_message"] == "Hallo";
    eventually(async || listed(&bert, is_updated).await).await;
    let messages = element.messages(&encrypted).await;
    assert_eq!(messages.len(), 1, "the notice is sent once");
}
