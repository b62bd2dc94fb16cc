//! What the homeserver refuses to a user, and rooms that are replaced or encrypted, on a real homeserver.

use std::time::Duration;

use messenger_tests::{
    Matrix, Stack, TestUser,
    client::{TestResponse, answer},
    encoded,
};
use reqwest::{Method, StatusCode, multipart};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// How long something may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until something is so.
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

async fn rooms(person: &TestUser) -> Vec<Value> {
    person.get("/api/v1/rooms").await.body["rooms"].as_array().expect("a list").clone()
}

async fn listed(person: &TestUser, room: &str) -> Option<Value> {
    rooms(person).await.into_iter().find(|seen| seen["matrix_room_id"] == room)
}

async fn send(person: &TestUser, room: &str, body: &str) -> TestResponse {
    person.post("/api/v1/messages/send", &json!({ "room_id": room, "body": body })).await
}

async fn upload(person: &TestUser, room: &str) -> TestResponse {
    let file = multipart::Part::bytes(b"a file".to_vec()).file_name("a.txt");
    let form = multipart::Form::new().text("room_id", room.to_owned()).part("file", file);
    answer(person.request(Method::POST, "/api/v1/messages/upload").multipart(form)).await
}

fn refused(answer: &TestResponse) -> (StatusCode, &str) {
    assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.contains("try again later")));
    (answer.status, answer.body["code"].as_str().expect("a code"))
}

async fn history(person: &TestUser, room: &str) -> Vec<String> {
    let page = person.get(&format!("/api/v1/messages/history/{}", encoded(room))).await;
    let messages = page.body["messages"].as_array().expect("a list of messages").iter();
    messages.map(|message| message["body"].as_str().expect("a body").to_owned()).collect()
}

/// Anna with another client, and a room that she made with it, in which Bert is.
async fn in_adopted_room(stack: &Stack) -> (TestUser, TestUser, Matrix, String) {
    let client = stack.client();
    let (anna, bert) = (client.person("anna"), client.person("bert"));
    anna.wait_until_provisioned().await;
    bert.wait_until_provisioned().await;
    let element = stack.matrix("anna").await;
    let guest = format!("@bert:{}", stack.server_name());
    let room = json!({ "name": "Umbau", "preset": "private_chat", "room_version": "11", "invite": [guest] });
    let room = element.create_room(room).await;
    element.say(&room, "eins").await;
    until(async || listed(&bert, &room).await).await;
    (anna, bert, element, room)
}

fn errors(stack: &Stack) -> Vec<String> {
    let logs = ["messenger-router", "messenger-worker"].map(|program| stack.log(program));
    // A worker may start before its homeserver knows us.
    let lines =
        logs.iter().flat_map(|log| log.lines()).filter(|line| !line.contains("stream cannot be read"));
    lines.filter(|line| line.contains("ERROR")).map(str::to_owned).collect()
}

#[tokio::test]
async fn who_may_not_write_is_told_so_and_no_error_is_logged() {
    let stack = Stack::start().await;
    let (anna, bert, element, room) = in_adopted_room(&stack).await;
    let guest = format!("@bert:{}", stack.server_name());
    let mut levels = element.state(&room, "m.room.power_levels").await;
    levels["users"][&guest] = (-1).into();
    element.set_state(&room, "m.room.power_levels", levels.clone()).await;
    for answer in [send(&bert, &room, "x").await, upload(&bert, &room).await] {
        assert_eq!(refused(&answer), (StatusCode::FORBIDDEN, "not_allowed_in_room"), "{}", answer.body);
    }
    assert_eq!(send(&anna, &room, "zwei").await.status, StatusCode::OK);
    element.put_out(&room, &guest, "ban").await;
    let invited = json!({ "hub_user_id": "bert" });
    let banned = anna.post(&format!("/api/v1/rooms/{}/invite", encoded(&room)), &invited).await;
    assert_eq!(refused(&banned), (StatusCode::FORBIDDEN, "user_banned"), "{}", banned.body);
    assert!(banned.body["detail"].as_str().is_some_and(|detail| detail.contains("`bert`")));
    // Once we have heard of it, there is no such room for him.
    until(async || (send(&bert, &room, "x").await.status == StatusCode::NOT_FOUND).then_some(())).await;
    assert_eq!(errors(&stack), [""; 0]);
}

#[tokio::test]
async fn an_upgraded_room_is_listed_once_with_all_its_members_and_what_was_said_before() {
    let stack = Stack::start().await;
    let (anna, bert, element, old) = in_adopted_room(&stack).await;
    send(&bert, &old, "zwei").await;
    let mut stream = bert.stream(None).await;
    let new = element.upgrade(&old).await;
    for person in [&anna, &bert] {
        let seen = until(async || listed(person, &new).await).await;
        assert_eq!((&seen["display_name"], &seen["room_type"]), (&json!("Umbau"), &json!("custom")));
        assert_eq!(rooms(person).await.len(), 2, "it and the general room");
    }
    assert_eq!(stream.next_of("room_left").await["room_id"], json!(old));
    assert_eq!(stream.next_of("room_joined").await["room_id"], json!(new));
    for answer in [send(&bert, &old, "x").await, upload(&bert, &old).await] {
        assert_eq!(refused(&answer), (StatusCode::CONFLICT, "room_upgraded"), "{}", answer.body);
        assert_eq!(answer.body["successor_room_id"], json!(new));
    }
    assert_eq!(send(&bert, &new, "drei").await.status, StatusCode::OK);
    element.say(&new, "vier").await;
    while stream.next_of("new_message").await["body"] != "vier" {}
    let said = history(&bert, &new).await;
    assert_eq!(said, ["vier", "drei", "zwei", "eins"]);
    let carl = stack.client().person("carl");
    carl.wait_until_provisioned().await;
    let path = format!("/api/v1/rooms/{}/invite", encoded(&new));
    assert_eq!(anna.post(&path, &json!({ "hub_user_id": "carl" })).await.status, StatusCode::OK);
    assert!(!history(&carl, &new).await.contains(&"eins".to_owned()), "he was never in the old one");
    assert_eq!(errors(&stack), [""; 0]);
}

#[tokio::test]
async fn a_room_of_ours_that_the_bot_replaced_gets_what_comes_for_it() {
    let stack = Stack::start().await;
    let client = stack.client();
    let anna = client.person("anna");
    anna.wait_until_provisioned().await;
    let body = json!({ "source_app": "x", "event_type": "e", "title": "vorher" });
    let old = client.notify(&body).await.body["matrix_room_id"].as_str().expect("a room").to_owned();
    let new = stack.matrix_bot().await.upgrade(&old).await;
    until(async || listed(&anna, &new).await).await;
    assert_eq!(rooms(&anna).await.len(), 1);
    let body = json!({ "source_app": "x", "event_type": "e", "title": "nachher" });
    until(async || {
        let sent = client.notify(&body).await.body;
        assert_eq!(sent["status"], "sent");
        (sent["matrix_room_id"] == new.as_str()).then_some(())
    })
    .await;
    let bert = client.person("bert");
    bert.wait_until_provisioned().await;
    until(async || listed(&bert, &new).await).await;
    assert!(history(&bert, &new).await.iter().any(|text| text.contains("vorher")));
}

#[tokio::test]
async fn a_room_that_is_encrypted_later_is_shown_so_and_takes_no_plain_text() {
    let stack = Stack::start().await;
    let (anna, bert, element, room) = in_adopted_room(&stack).await;
    assert_eq!(listed(&bert, &room).await.expect("a room")["encrypted"], false);
    element.set_state(&room, "m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" })).await;
    until(async || (listed(&bert, &room).await?["encrypted"] == true).then_some(())).await;
    for answer in [send(&bert, &room, "geheim").await, upload(&anna, &room).await] {
        assert_eq!(refused(&answer), (StatusCode::CONFLICT, "room_encrypted"), "{}", answer.body);
    }
    // The worker tells it a second time.
    sleep(Duration::from_secs(1)).await;
    let said = element.messages(&room).await;
    let notices: Vec<_> = said.iter().filter(|event| event["content"]["msgtype"] == "m.notice").collect();
    assert_eq!((said.len(), notices.len()), (2, 1), "{said:?}");
    assert_eq!(errors(&stack), [""; 0]);
}

#[tokio::test]
async fn who_comes_later_reads_what_matrix_shows_them() {
    let stack = Stack::start().await;
    let (anna, bert, element, room) = in_adopted_room(&stack).await;
    element.set_state(&room, "m.room.history_visibility", json!({ "history_visibility": "joined" })).await;
    element.say(&room, "nur für uns").await;
    until(async || (listed(&bert, &room).await?["last_message"] == "nur für uns").then_some(())).await;
    assert_eq!(upload(&anna, &room).await.status, StatusCode::OK);
    let carl = stack.client().person("carl");
    carl.wait_until_provisioned().await;
    element.invite(&room, &format!("@carl:{}", stack.server_name())).await;
    let seen = until(async || listed(&carl, &room).await).await;
    assert_eq!((&seen["last_message"], &seen["last_message_ts"]), (&Value::Null, &Value::Null));
    let events = carl.get("/api/v1/events/poll?cursor=0").await.body.to_string();
    assert!(!events.contains("nur für uns"), "{events}");
    let file = anna.get(&format!("/api/v1/messages/history/{}?limit=1", encoded(&room))).await.body;
    let url = file["messages"][0]["file_url"].as_str().expect("a file").to_owned();
    element.say(&room, "für alle").await;
    until(async || (listed(&carl, &room).await?["last_message"] == "für alle").then_some(())).await;
    // What was said while the room was open to who comes later stays open.
    assert_eq!(history(&carl, &room).await, ["für alle", "eins"]);
    assert_eq!(history(&bert, &room).await, ["für alle", "a.txt", "nur für uns", "eins"]);
    if url.starts_with('/') {
        assert_eq!(bert.get(&url).await.status, StatusCode::OK);
        assert_eq!(carl.get(&url).await.status, StatusCode::NOT_FOUND);
    }
}
