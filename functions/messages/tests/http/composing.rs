//! `POST /messages/send` with replies, mentions and Markdown.

use messenger_core::id::EventId;
use serde_json::{Value, json};

use crate::{TestApp, wrong};

/// Returns the content of an event as the homeserver has it.
fn content(app: &TestApp, event: &Value) -> Value {
    let event = EventId::new(event.as_str().expect("an id"));
    let messages = app.messenger.homeserver.messages(&app.room);
    messages.into_iter().find(|message| message.event == event).expect("the event exists").content
}

#[tokio::test]
async fn a_reply_with_mentions_and_markdown_is_sent_as_matrix_has_it() {
    let app = TestApp::new().await;
    let question = app.send("bert", &json!({ "body": "Wer kommt?" })).await.body["event_id"].clone();
    let fields = json!({
        "body": "**Ich**, mit @Bert", "format": "markdown", "reply_to": question, "txn_id": "t 1",
        "mentions": { "hub_user_ids": ["bert", "bert"], "room": true },
    });
    let sent = app.send("anna", &fields).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let html = "<p><strong>Ich</strong>, mit @Bert</p>";
    let expected = json!({
        "event_id": "$event2", "room_id": app.room, "sender": "@anna:hub.local",
        "sender_display_name": "Name von anna", "body": "**Ich**, mit @Bert", "msg_type": "m.text",
        "timestamp": "2026-01-01T06:00:00.000000Z", "reply_to": question, "formatted_body": html,
        "mentions": { "hub_user_ids": ["bert"], "room": true }, "txn_id": "t 1", "edited": false,
        "reactions": [],
    });
    assert_eq!(sent.body, expected);
    let on_homeserver = json!({
        "msgtype": "m.text", "body": "**Ich**, mit @Bert", "format": "org.matrix.custom.html",
        "formatted_body": html, "m.mentions": { "user_ids": ["@bert:hub.local"], "room": true },
        "m.relates_to": { "m.in_reply_to": { "event_id": question } }, "com.aesystek.txn_id": "t 1",
    });
    assert_eq!(content(&app, &sent.body["event_id"]), on_homeserver);
    let page = app.history("bert", "").await.body;
    assert_eq!(page["messages"][0], sent.body, "the history has it as its sender got it");
}

#[tokio::test]
async fn a_message_without_these_fields_mentions_nobody() {
    let app = TestApp::new().await;
    for fields in [json!({}), json!({ "format": "plain", "mentions": {}, "reply_to": null })] {
        let sent = app.send("anna", &json!({ "body": "**@room** bert" })).await.body;
        assert_eq!(content(&app, &sent["event_id"])["m.mentions"], json!({}), "{fields}");
        assert_eq!(content(&app, &sent["event_id"])["formatted_body"], Value::Null);
        assert_eq!(sent["mentions"], json!({ "hub_user_ids": [], "room": false }));
    }
}

#[tokio::test]
async fn who_is_no_member_cannot_be_mentioned() {
    let app = TestApp::new().await;
    let before = app.messenger.homeserver.messages(&app.room).len();
    let answer = app.send("anna", &json!({ "mentions": { "hub_user_ids": ["bert", "nobody"] } })).await;
    assert_eq!((answer.status, &answer.body["code"]), (422, &json!("unknown_user")));
    assert_eq!(wrong(&answer), ["/mentions/hub_user_ids/1"]);
    assert!(answer.body["detail"].as_str().expect("a detail").contains("`nobody`"), "{}", answer.body);
    let many: Vec<_> = (0..51).map(|n| format!("user{n}")).collect();
    for (mentions, named) in [
        (json!({ "hub_user_ids": many }), "/mentions/hub_user_ids"),
        (json!({ "hub_user_ids": "bert" }), "/mentions/hub_user_ids"),
        (json!({ "hub_user_ids": [7] }), "/mentions/hub_user_ids/0"),
        (json!({ "room": "yes" }), "/mentions/room"),
        (json!(["bert"]), "/mentions"),
    ] {
        let answer = app.send("anna", &json!({ "mentions": mentions })).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec![named]), "{mentions}");
    }
    assert_eq!(app.messenger.homeserver.messages(&app.room).len(), before, "nothing was sent");
}

#[tokio::test]
async fn only_a_message_of_the_room_can_be_replied_to() {
    let app = TestApp::new().await;
    let topic = app.happens("m.room.topic", json!({ "topic": "Schicht" })).await;
    let message = app.happens("m.room.message", json!({ "msgtype": "m.text", "body": "x" })).await;
    let bert = messenger_core::id::MatrixUserId::new("@bert:hub.local");
    app.messenger.homeserver.redact(&app.room, &bert, &message);
    for id in [topic.as_str(), message.as_str(), "$nowhere", "nowhere", "$", "!room:hub.local", "$a\n"] {
        let answer = app.send("anna", &json!({ "reply_to": id })).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec!["/reply_to"]), "{id:?}");
    }
    let answer = app.send("anna", &json!({ "reply_to": "x".repeat(256), "format": "html" })).await;
    assert_eq!((answer.status, wrong(&answer)), (422, vec!["/format", "/reply_to"]));
}

#[tokio::test]
async fn markdown_that_is_too_long_as_html_is_sent_as_text() {
    let app = TestApp::new().await;
    let body = "**ä** ".repeat(3_000);
    let sent = app.send("anna", &json!({ "body": body, "format": "markdown" })).await;
    assert_eq!((sent.status, &sent.body["body"]), (200, &json!(body)));
    assert_eq!(sent.body["formatted_body"], Value::Null);
}

#[tokio::test]
async fn what_another_client_writes_has_its_html_and_mentions() {
    let app = TestApp::new().await;
    let message = json!({
        "msgtype": "m.text", "body": "Anna?", "format": "org.matrix.custom.html",
        "formatted_body": "<b onclick=x>Anna</b>?",
        "m.mentions": { "user_ids": ["@anna:hub.local", "@stranger:other.example"] },
    });
    let first = app.happens("m.room.message", message).await;
    let edit = json!({
        "msgtype": "m.text", "body": "* Anna!", "m.mentions": {},
        "m.new_content": { "msgtype": "m.text", "body": "Anna!", "m.mentions": { "room": true } },
        "m.relates_to": { "rel_type": "m.replace", "event_id": first },
    });
    let page = app.history("anna", "").await.body;
    assert_eq!(page["messages"][0]["formatted_body"], "<b onclick=x>Anna</b>?", "the reader sanitises it");
    assert_eq!(page["messages"][0]["mentions"], json!({ "hub_user_ids": ["anna"], "room": false }));
    assert_eq!(page["messages"][0]["edited"], json!(false));
    app.happens("m.room.message", edit).await;
    let page = app.history("anna", "").await.body;
    assert_eq!(page["messages"][0]["body"], "Anna!");
    assert_eq!(page["messages"][0]["formatted_body"], Value::Null);
    assert_eq!(page["messages"][0]["mentions"], json!({ "hub_user_ids": [], "room": true }));
    assert_eq!(page["messages"][0]["edited"], json!(true));
}
