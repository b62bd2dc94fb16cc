//! Rejections of the homeserver, and rooms that are upgraded or encrypted, on a real homeserver.

use std::time::Duration;

use messenger_tests::{
    Matrix, Stack, TestUser,
    client::{TestResponse, fetch},
    encoded, eventually, is_skipped_on_deployment, is_skipped_on_lambda,
};
use reqwest::{Method, StatusCode, multipart};
use serde_json::{Value, json};
use tokio::time::sleep;

async fn rooms(user: &TestUser) -> Vec<Value> {
    user.get("/api/v1/rooms").await.body["rooms"].as_array().expect("a list").clone()
}

async fn listed(user: &TestUser, room: &str) -> Option<Value> {
    rooms(user).await.into_iter().find(|listed| listed["matrix_room_id"] == room)
}

async fn send(user: &TestUser, room: &str, body: &str) -> TestResponse {
    user.post("/api/v1/messages/send", &json!({ "room_id": room, "body": body })).await
}

async fn upload(user: &TestUser, room: &str) -> TestResponse {
    let file = multipart::Part::bytes(b"a file".to_vec()).file_name("a.txt");
    let form = multipart::Form::new().text("room_id", room.to_owned()).part("file", file);
    fetch(user.request(Method::POST, "/api/v1/messages/upload").multipart(form)).await
}

fn refused(response: &TestResponse) -> (StatusCode, &str) {
    assert!(response.body["detail"].as_str().is_some_and(|detail| !detail.contains("try again later")));
    (response.status, response.body["code"].as_str().expect("a code"))
}

async fn history(user: &TestUser, room: &str) -> Vec<String> {
    let (mut bodies, mut from) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/messages/history/{}?limit=200{from}", encoded(room));
        let page = user.get(&path).await.body;
        let messages = page["messages"].as_array().expect("a list of messages").iter();
        bodies.extend(messages.map(|message| message["body"].as_str().expect("a body").to_owned()));
        match page["end_token"].as_str() {
            Some(token) => from = format!("&from_token={}", encoded(token)),
            None => return bodies,
        }
    }
}

/// Returns Anna, Bert, Anna's other client, and a room that she created with it and that Bert is in.
async fn in_adopted_room(stack: &Stack) -> (TestUser, TestUser, Matrix, String) {
    let [anna, bert] = stack.client().provisioned_users(["anna", "bert"]).await;
    let element = stack.matrix("anna").await;
    let guest = format!("@bert:{}", stack.server_name());
    let room = json!({ "name": "Umbau", "preset": "private_chat", "room_version": "11", "invite": [guest] });
    let room = element.create_room(room).await;
    element.send_text(&room, "eins").await;
    eventually(async || listed(&bert, &room).await).await;
    (anna, bert, element, room)
}

fn errors(stack: &Stack) -> Vec<String> {
    let logs = ["messenger-router", "messenger-worker"].map(|program| stack.log(program));
    // A worker may start before its homeserver knows the service.
    let lines =
        logs.iter().flat_map(|log| log.lines()).filter(|line| !line.contains("reconciliation failed"));
    lines.filter(|line| line.contains("ERROR")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_user_who_may_not_write_gets_403_and_no_error_is_logged() {
    if is_skipped_on_deployment("it reads the logs of its processes") {
        return;
    }
    if is_skipped_on_lambda("it reads the router's log") {
        return;
    }
    let stack = Stack::start().await;
    let (anna, bert, element, room) = in_adopted_room(&stack).await;
    let guest = format!("@bert:{}", stack.server_name());
    let mut levels = element.state(&room, "m.room.power_levels").await;
    levels["users"][&guest] = (-1).into();
    element.set_state(&room, "m.room.power_levels", levels.clone()).await;
    for response in [send(&bert, &room, "x").await, upload(&bert, &room).await] {
        assert_eq!(refused(&response), (StatusCode::FORBIDDEN, "not_allowed_in_room"), "{}", response.body);
    }
    assert_eq!(send(&anna, &room, "zwei").await.status, StatusCode::OK);
    element.remove_member(&room, &guest, "ban").await;
    let invited = json!({ "hub_user_id": "bert" });
    let banned = anna.post(&format!("/api/v1/rooms/{}/invite", encoded(&room)), &invited).await;
    assert_eq!(refused(&banned), (StatusCode::FORBIDDEN, "user_banned"), "{}", banned.body);
    assert!(banned.body["detail"].as_str().is_some_and(|detail| detail.contains("`bert`")));
    // The room does not exist for him once the ban is ingested.
    eventually(async || (send(&bert, &room, "x").await.status == StatusCode::NOT_FOUND).then_some(())).await;
    assert_eq!(errors(&stack), [""; 0]);
}

#[tokio::test]
async fn an_upgraded_room_is_listed_once_with_its_members_and_history() {
    let stack = Stack::start().await;
    let (anna, bert, element, old) = in_adopted_room(&stack).await;
    send(&bert, &old, "zwei").await;
    let mut stream = bert.stream(None).await;
    let new = element.upgrade(&old).await;
    for user in [&anna, &bert] {
        let view = eventually(async || listed(user, &new).await).await;
        assert_eq!((&view["display_name"], &view["room_type"]), (&json!("Umbau"), &json!("custom")));
        assert_eq!(rooms(user).await.len(), 2, "the new room and the general room");
    }
    assert_eq!(stream.next_of("room_left").await["room_id"], json!(old));
    assert_eq!(stream.next_of("room_joined").await["room_id"], json!(new));
    for response in [send(&bert, &old, "x").await, upload(&bert, &old).await] {
        assert_eq!(refused(&response), (StatusCode::CONFLICT, "room_upgraded"), "{}", response.body);
        assert_eq!(response.body["successor_room_id"], json!(new));
    }
    assert_eq!(send(&bert, &new, "drei").await.status, StatusCode::OK);
    element.send_text(&new, "vier").await;
    while stream.next_of("new_message").await["body"] != "vier" {}
    let bodies = history(&bert, &new).await;
    assert_eq!(bodies, ["vier", "drei", "zwei", "eins"]);
    let carl = stack.client().user("carl");
    carl.wait_until_provisioned().await;
    let path = format!("/api/v1/rooms/{}/invite", encoded(&new));
    assert_eq!(anna.post(&path, &json!({ "hub_user_id": "carl" })).await.status, StatusCode::OK);
    assert!(!history(&carl, &new).await.contains(&"eins".to_owned()), "he was never in the old room");
    assert_eq!(errors(&stack), [""; 0]);
}

#[tokio::test]
async fn a_room_upgraded_by_the_bot_receives_its_notifications() {
    let stack = Stack::start().await;
    let client = stack.client();
    let anna = client.user("anna");
    anna.wait_until_provisioned().await;
    let body = json!({ "source_app": "x", "event_type": "e", "title": "vorher" });
    let old = client.notify(&body).await.body["matrix_room_id"].as_str().expect("a room").to_owned();
    let new = stack.matrix_bot().await.upgrade(&old).await;
    eventually(async || listed(&anna, &new).await).await;
    assert_eq!(rooms(&anna).await.len(), 1);
    let body = json!({ "source_app": "x", "event_type": "e", "title": "nachher" });
    eventually(async || {
        let sent = client.notify(&body).await.body;
        assert_eq!(sent["status"], "sent");
        (sent["matrix_room_id"] == new.as_str()).then_some(())
    })
    .await;
    let bert = client.user("bert");
    bert.wait_until_provisioned().await;
    eventually(async || listed(&bert, &new).await).await;
    assert!(history(&bert, &new).await.iter().any(|text| text.contains("vorher")));
}

#[tokio::test]
async fn a_room_encrypted_later_is_marked_and_refuses_plain_text() {
    let stack = Stack::start().await;
    let (anna, bert, element, room) = in_adopted_room(&stack).await;
    assert_eq!(listed(&bert, &room).await.expect("a room")["encrypted"], false);
    element.set_state(&room, "m.room.encryption", json!({ "algorithm": "m.megolm.v1.aes-sha2" })).await;
    eventually(async || (listed(&bert, &room).await?["encrypted"] == true).then_some(())).await;
    for response in [send(&bert, &room, "geheim").await, upload(&anna, &room).await] {
        assert_eq!(refused(&response), (StatusCode::CONFLICT, "room_encrypted"), "{}", response.body);
    }
    // The worker reads the event a second time.
    sleep(Duration::from_secs(1)).await;
    let messages = element.messages(&room).await;
    let notices: Vec<_> = messages.iter().filter(|event| event["content"]["msgtype"] == "m.notice").collect();
    assert_eq!((messages.len(), notices.len()), (2, 1), "{messages:?}");
    assert_eq!(errors(&stack), [""; 0]);
}

#[tokio::test]
async fn a_later_member_reads_what_the_history_visibility_allows() {
    let stack = Stack::start().await;
    let (anna, bert, element, room) = in_adopted_room(&stack).await;
    element.set_state(&room, "m.room.history_visibility", json!({ "history_visibility": "joined" })).await;
    element.send_text(&room, "nur für uns").await;
    eventually(async || (listed(&bert, &room).await?["last_message"] == "nur für uns").then_some(())).await;
    assert_eq!(upload(&anna, &room).await.status, StatusCode::OK);
    let carl = stack.client().user("carl");
    carl.wait_until_provisioned().await;
    element.invite(&room, &format!("@carl:{}", stack.server_name())).await;
    let view = eventually(async || listed(&carl, &room).await).await;
    assert_eq!((&view["last_message"], &view["last_message_ts"]), (&Value::Null, &Value::Null));
    let events = carl.get("/api/v1/events/poll?cursor=0").await.body.to_string();
    assert!(!events.contains("nur für uns"), "{events}");
    let file = anna.get(&format!("/api/v1/messages/history/{}?limit=1", encoded(&room))).await.body;
    let url = file["messages"][0]["file_url"].as_str().expect("a file").to_owned();
    element.send_text(&room, "für alle").await;
    eventually(async || (listed(&carl, &room).await?["last_message"] == "für alle").then_some(())).await;
    // Messages from before the restriction stay visible.
    assert_eq!(history(&carl, &room).await, ["für alle", "eins"]);
    assert_eq!(history(&bert, &room).await, ["für alle", "a.txt", "nur für uns", "eins"]);
    if url.starts_with('/') {
        assert_eq!(bert.get(&url).await.status, StatusCode::OK);
        assert_eq!(carl.get(&url).await.status, StatusCode::NOT_FOUND);
    }
}
