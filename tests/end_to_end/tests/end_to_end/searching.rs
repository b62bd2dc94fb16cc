//! Search in messages, whichever client sent, edited or redacted them.

use messenger_tests::{Stack, TestUser, encoded, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Returns the texts of the results, and their ids.
async fn found(user: &TestUser, query: &str) -> Vec<(String, Value)> {
    let answer = user.get(&format!("/api/v1/messages/search?q={query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let messages = answer.body["messages"].as_array().expect("messages").iter();
    let text = |message: &Value| -> String {
        let passages = message["excerpt"].as_array().expect("an excerpt").iter();
        passages.map(|passage| passage["text"].as_str().expect("a text")).collect()
    };
    messages.map(|message| (text(message), message["event_id"].clone())).collect()
}

async fn wait_for(user: &TestUser, query: &str, expected: &[&str]) {
    let what = format!("{expected:?} is found by {query}");
    let texts =
        async || -> Vec<String> { found(user, query).await.into_iter().map(|(text, _)| text).collect() };
    wait_until(&what, async || texts().await == expected).await;
}

#[tokio::test]
async fn members_find_what_any_client_has_said_as_it_is_now() {
    let stack = Stack::start().await;
    let [anna, bert, carl] = stack.client().provisioned_users(["anna", "bert", "carl"]).await;
    let created =
        anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": ["bert"] })).await.body;
    let room = created["matrix_room_id"].as_str().expect("a room id");
    let element = stack.matrix("bert").await;

    let sent =
        anna.post("/api/v1/messages/send", &json!({ "room_id": room, "body": "Hauptspindel prüfen" })).await;
    wait_for(&bert, "SPINDEL+pruef", &["Hauptspindel prüfen"]).await;
    let other = element.send_text(room, "Spindel 4711-A ist da").await;
    wait_for(&anna, "spindel", &["Spindel 4711-A ist da", "Hauptspindel prüfen"]).await;
    assert_eq!(found(&carl, "spindel").await, []);

    // The result leads to the message in its place.
    let (_, event) = found(&anna, "4711-a").await.remove(0);
    assert_eq!(event, json!(other));
    let around = format!("/api/v1/messages/history/{}?around={}&limit=2", encoded(room), encoded(&other));
    let around = anna.get(&around).await.body;
    assert!(around["messages"].as_array().expect("messages").iter().any(|one| one["event_id"] == event));

    let replaced = json!({
        "msgtype": "m.text", "body": "* Fräse ist da", "m.new_content": { "msgtype": "m.text", "body": "Fräse ist da" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": other },
    });
    let edit = element.send(room, "m.room.message", replaced).await;
    wait_for(&anna, "fraese", &["Fräse ist da"]).await;
    assert_eq!(found(&anna, "4711").await, []);
    element.redact(room, &edit).await;
    wait_for(&anna, "4711", &["Spindel 4711-A ist da"]).await;
    element.redact(room, &other).await;
    wait_for(&anna, "4711", &[]).await;

    let event = sent.body["event_id"].as_str().expect("an id");
    let path = format!("/api/v1/messages/{}/{}", encoded(room), encoded(event));
    let edited = anna.request(Method::PATCH, &path).json(&json!({ "body": "Motor prüfen" })).send().await;
    assert_eq!(edited.expect("an answer").status(), StatusCode::OK);
    wait_for(&bert, "motor", &["Motor prüfen"]).await;
    wait_for(&bert, "spindel", &[]).await;

    let left = bert.post(&format!("/api/v1/rooms/{}/leave", encoded(room)), &json!({})).await;
    assert!(left.status.is_success(), "{}", left.body);
    assert_eq!(found(&bert, "motor").await, []);
    assert_eq!(found(&anna, "motor").await.len(), 1);
}

#[tokio::test]
async fn a_notification_is_found_in_the_inbox_and_not_among_messages() {
    let stack = Stack::start().await;
    let client = stack.client();
    let [mueller] = client.provisioned_users(["mueller"]).await;
    let alarm = json!({
        "source_app": "fertigungs-app", "event_type": "alarm", "title": "CNC-01 gestoppt", "body": "Kühlmittel fehlt",
    });
    let sent = client.notify(&alarm).await.body;
    assert_eq!(sent["status"], "sent", "{sent}");
    let message = json!({ "room_id": sent["matrix_room_id"], "body": "CNC-01 läuft" });
    let said = mueller.post("/api/v1/messages/send", &message).await;
    assert_eq!(said.status, StatusCode::OK);
    wait_for(&mueller, "cnc-01", &["CNC-01 läuft"]).await;
    let inbox = mueller.get("/api/v1/notifications/inbox?q=kuehl+cnc").await.body;
    assert_eq!(inbox["notifications"][0]["notification_id"], sent["id"]);
    let none = mueller.get("/api/v1/notifications/inbox?q=gibtesnicht").await.body;
    assert_eq!((&none["notifications"], &none["next_before"]), (&json!([]), &json!(null)));
}

#[tokio::test]
async fn a_member_of_a_room_with_restricted_history_finds_what_they_may_read() {
    let stack = Stack::start().await;
    let [anna, bert] = stack.client().provisioned_users(["anna", "bert"]).await;
    let created = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": [] })).await.body;
    let room = created["matrix_room_id"].as_str().expect("a room id");
    // The bot made the room.
    stack
        .matrix_bot()
        .await
        .set_state(room, "m.room.history_visibility", json!({ "history_visibility": "joined" }))
        .await;
    let say = async |text: &str| {
        let sent = anna.post("/api/v1/messages/send", &json!({ "room_id": room, "body": text })).await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.body);
    };
    say("Spindel vorher").await;
    wait_for(&anna, "spindel", &["Spindel vorher"]).await;
    let invite = format!("/api/v1/rooms/{}/invite", encoded(room));
    let invited = anna.post(&invite, &json!({ "hub_user_id": "bert" })).await;
    assert!(invited.status.is_success());
    say("Spindel nachher").await;
    wait_for(&bert, "spindel", &["Spindel nachher"]).await;
    wait_for(&anna, "spindel", &["Spindel nachher", "Spindel vorher"]).await;
    let history = bert.get(&format!("/api/v1/messages/history/{}", encoded(room))).await.body;
    let texts: Vec<_> =
        history["messages"].as_array().expect("messages").iter().map(|one| &one["body"]).collect();
    assert_eq!(texts, ["Spindel nachher"], "the history agrees");
}
