//! People who invite and write with other Matrix clients to people who are here only.

use std::time::Duration;

use messenger_tests::{Stack, TestUser, encoded};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "it does not happen in time");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn listed(person: &TestUser, of: impl Fn(&Value) -> bool) -> Option<Value> {
    let answer = person.get("/api/v1/rooms").await;
    answer.body["rooms"].as_array().expect("a list").iter().find(|room| of(room)).cloned()
}

/// Lets a user use other clients, as an administrator does.
async fn allow(stack: &Stack, user: &str) {
    let sql = "update users set external_client_enabled = true where hub_user_id = $1 returning hub_user_id";
    stack.query(sql, user).await.expect("a user");
}

#[tokio::test]
async fn who_was_invited_before_they_ever_signed_in_is_in_the_room_when_they_do() {
    let stack = Stack::start().await;
    let anna = stack.client().person("anna");
    anna.wait_until_provisioned().await;
    allow(&stack, "anna").await;
    let element = stack.matrix("anna").await;
    let guest = format!("@dora:{}", stack.server_name());
    let room = json!({ "name": "Umbau", "preset": "private_chat", "room_version": "11", "invite": [guest] });
    let room = element.create_room(room).await;
    element.say(&room, "eins").await;
    until(async || listed(&anna, |seen| seen["matrix_room_id"] == room.as_str()).await).await;
    let dora = stack.client().person("dora");
    dora.wait_until_provisioned().await;
    let seen = until(async || listed(&dora, |seen| seen["matrix_room_id"] == room.as_str()).await).await;
    assert_eq!(seen["display_name"], "Umbau");
    let body = json!({ "room_id": room, "body": "zwei" });
    assert_eq!(dora.post("/api/v1/messages/send", &body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_member_of_a_room_made_here_invites_with_another_client() {
    let stack = Stack::start().await;
    let client = stack.client();
    let people = ["anna", "bert", "carl"].map(|name| client.person(name));
    for person in &people {
        person.wait_until_provisioned().await;
    }
    let [anna, bert, carl] = &people;
    let made = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": ["bert"] })).await;
    let room = made.body["matrix_room_id"].as_str().expect("a room").to_owned();
    assert_eq!(made.body["encrypted"], false);
    let is_room = |seen: &Value| seen["matrix_room_id"] == room.as_str();
    stack.matrix("bert").await.invite(&room, &format!("@carl:{}", stack.server_name())).await;
    until(async || listed(carl, is_room).await).await;
    assert_eq!(
        bert.get(&format!("/api/v1/rooms/{}/members", encoded(&room))).await.body.as_array().map(Vec::len),
        Some(3)
    );
}

#[tokio::test]
async fn an_encrypted_chat_with_somebody_who_is_here_only_leads_both_to_a_plain_one() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert) = (client.person("anna"), client.person("bert"));
    anna.wait_until_provisioned().await;
    bert.wait_until_provisioned().await;
    allow(&stack, "anna").await;
    let element = stack.matrix("anna").await;
    // As Element opens a direct chat.
    let encryption = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let room = json!({
        "preset": "trusted_private_chat", "is_direct": true, "invite": [format!("@bert:{}", stack.server_name())],
        "initial_state": [{ "type": "m.room.encryption", "state_key": "", "content": encryption }],
    });
    let encrypted = element.create_room(room).await;
    let plain = until(async || listed(&bert, |seen| seen["display_name"] == "Name von anna").await).await;
    let plain = plain["matrix_room_id"].as_str().expect("a room id");
    let notice = until(async || {
        let said = element.messages(&encrypted).await;
        said.iter().find(|event| event["content"]["msgtype"] == "m.notice").cloned()
    })
    .await;
    let text = notice["content"]["body"].as_str().expect("a body");
    assert!(text.contains(&format!("https://matrix.to/#/{plain}")), "{text}");
    let bot = format!("@messenger:{}", stack.server_name());
    until(async || {
        let state = element.members(&encrypted).await;
        (!state.contains(&bot)).then_some(())
    })
    .await;
    let told = bert.get(&format!("/api/v1/messages/history/{}", encoded(plain))).await.body;
    assert!(
        told["messages"][0]["body"].as_str().is_some_and(|body| body.contains("verschlüsselten Chat")),
        "{told}"
    );
    // What she goes on saying there changes nothing.
    element
        .send(
            &encrypted,
            "m.room.encrypted",
            json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" }),
        )
        .await;
    element.set_state(&encrypted, "m.room.topic", json!({ "topic": "x" })).await;
    element.say(plain, "Hallo").await;
    let is_told = |seen: &Value| seen["matrix_room_id"] == plain && seen["last_message"] == "Hallo";
    until(async || listed(&bert, is_told).await).await;
    let said = element.messages(&encrypted).await;
    assert_eq!(said.len(), 1, "it is said once");
}
