//! `PATCH` and `DELETE` of messages, and their reactions.

use axum::http::Method;
use messenger_core::id::{EventId, HubUserId, MatrixUserId};
use messenger_runtime::testing::TestResponse;
use serde_json::{Value, json};

use crate::{TestApp, by, segment, token_of, wrong};

impl TestApp {
    /// Sends a text of a user. Returns its id.
    async fn sent(&self, user: &str, body: &str) -> String {
        let sent = self.send(user, &json!({ "body": body })).await;
        sent.body["event_id"].as_str().expect("an id").to_owned()
    }

    fn path(&self, event: &str) -> String {
        format!("/api/v1/messages/{}/{}", segment(self.room.as_str()), segment(event))
    }

    async fn edit(&self, user: &str, event: &str, body: &Value) -> TestResponse {
        self.wire.call(by(user, Method::PATCH, &self.path(event)), body.to_string()).await
    }

    async fn redact(&self, user: &str, event: &str) -> TestResponse {
        self.wire.ask(by(user, Method::DELETE, &self.path(event))).await
    }

    async fn react(&self, user: &str, event: &str, body: &Value) -> TestResponse {
        let path = format!("{}/reactions", self.path(event));
        self.wire.call(by(user, Method::POST, &path), body.to_string()).await
    }

    async fn remove_reaction(&self, user: &str, event: &str, key: &str) -> TestResponse {
        let path = format!("{}/reactions/{}", self.path(event), segment(key));
        self.wire.ask(by(user, Method::DELETE, &path)).await
    }

    /// Returns the newest message as a user reads it.
    async fn newest(&self, user: &str) -> Value {
        self.history(user, "").await.body["messages"][0].clone()
    }

    fn events(&self) -> usize {
        self.messenger.homeserver.messages(&self.room).len()
    }
}

#[tokio::test]
async fn an_edit_replaces_the_text_and_keeps_the_reply() {
    let app = TestApp::new().await;
    let first = app.sent("bert", "Wer kommt?").await;
    let sent = app.send("anna", &json!({ "body": "ihc", "reply_to": first, "txn_id": "1" })).await.body;
    let event = sent["event_id"].as_str().expect("an id").to_owned();
    let fields = json!({
        "body": "**ich**", "format": "markdown", "mentions": { "hub_user_ids": ["bert"] }, "txn_id": "1",
    });
    let edited = app.edit("anna", &event, &fields).await;
    assert_eq!(edited.status, 200, "{}", edited.body);
    let expected = json!({
        "event_id": event, "room_id": app.room, "sender": "@anna:hub.local",
        "sender_display_name": "Name von anna", "body": "**ich**", "msg_type": "m.text",
        "timestamp": sent["timestamp"], "reply_to": first, "txn_id": "1",
        "formatted_body": "<p><strong>ich</strong></p>",
        "mentions": { "hub_user_ids": ["bert"], "room": false }, "edited": true, "reactions": [],
    });
    assert_eq!(edited.body, expected);
    assert_eq!(app.newest("bert").await, expected, "and so reads everybody");
    let last = app.messenger.homeserver.messages(&app.room).pop().expect("an event");
    let content = json!({
        "msgtype": "m.text", "body": "**ich**", "m.mentions": { "user_ids": ["@bert:hub.local"] },
        "format": "org.matrix.custom.html", "formatted_body": "<p><strong>ich</strong></p>",
    });
    let replacement = json!({
        "msgtype": "m.text", "body": "* **ich**", "m.mentions": {}, "m.new_content": content,
        "m.relates_to": { "rel_type": "m.replace", "event_id": event },
    });
    assert_eq!(last.content, replacement);
    let before = app.events();
    assert_eq!(app.edit("anna", &event, &fields).await.status, 200);
    assert_eq!(app.events(), before, "a repeated `txn_id` edits once");
    let other = app.edit("anna", &event, &json!({ "body": "du", "txn_id": "1" })).await;
    assert_eq!((other.status, &other.body["code"]), (422, &json!("idempotency_mismatch")), "{}", other.body);
    assert_eq!(app.newest("bert").await, expected, "the first edit stays");
    let misspelt = app.edit("anna", &event, &json!({ "body": "du", "mention": {} })).await;
    assert_eq!((misspelt.status, wrong(&misspelt)), (422, vec!["/mention"]), "{}", misspelt.body);
    assert_eq!(app.edit("anna", &event, &json!({ "body": "doch nicht" })).await.status, 200);
    assert_eq!(app.newest("bert").await["body"], "doch nicht");
    assert_eq!(app.newest("bert").await["mentions"], json!({ "hub_user_ids": [], "room": false }));
}

#[tokio::test]
async fn only_ones_own_texts_are_edited() {
    let app = TestApp::new().await;
    let text = app.sent("bert", "x").await;
    let answer = app.edit("anna", &text, &json!({ "body": "y" })).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!("not_your_message")));
    let picture = json!({ "msgtype": "m.image", "body": "x.png", "url": "mxc://hub.local/x" });
    let picture = app.happens_by("anna", "m.room.message", picture).await;
    let answer = app.edit("anna", picture.as_str(), &json!({ "body": "y" })).await;
    assert_eq!((answer.status, &answer.body["code"]), (409, &json!("message_not_editable")));
    let topic = app.happens_by("anna", "m.room.topic", json!({ "topic": "x" })).await;
    let gone = app.sent("anna", "x").await;
    assert_eq!(app.redact("anna", &gone).await.status, 204);
    for event in [topic.as_str(), &gone, "$nowhere", "nowhere", "$a\u{7f}"] {
        let answer = app.edit("anna", event, &json!({ "body": "y" })).await;
        assert_eq!((answer.status, &answer.body["detail"]), (404, &json!("message not found")), "{event}");
    }
    for (body, named) in [
        (json!({}), vec!["/body"]),
        (json!({ "body": " " }), vec!["/body"]),
        (json!({ "body": "x".repeat(20_001), "format": 1 }), vec!["/body", "/format"]),
        (
            json!({ "body": "x", "mentions": { "hub_user_ids": ["nobody"] } }),
            vec!["/mentions/hub_user_ids/0"],
        ),
    ] {
        let own = app.sent("anna", "x").await;
        let answer = app.edit("anna", &own, &body).await;
        assert_eq!((answer.status, wrong(&answer)), (422, named), "{body}");
    }
}

#[tokio::test]
async fn a_redaction_leaves_nothing_and_can_be_repeated() {
    let app = TestApp::new().await;
    let event = app.sent("anna", "geheim").await;
    let foreign = app.redact("bert", &event).await;
    assert_eq!((foreign.status, &foreign.body["code"]), (403, &json!("not_your_message")));
    let path = format!("{}?reason=Versehen", app.path(&event));
    assert_eq!(app.wire.ask(by("anna", Method::DELETE, &path)).await.status, 204);
    let last = app.messenger.homeserver.messages(&app.room).pop().expect("an event");
    assert_eq!((last.kind.as_str(), &last.content["reason"]), ("m.room.redaction", &json!("Versehen")));
    assert_eq!(app.newest("bert").await, Value::Null);
    let before = app.events();
    assert_eq!(app.redact("anna", &event).await.status, 204);
    assert_eq!(app.redact("bert", &event).await.status, 204, "there is nothing to redact any more");
    assert_eq!(app.events(), before);
    let long = format!("{}?reason={}", app.path(&event), "x".repeat(1001));
    let answer = app.wire.ask(by("anna", Method::DELETE, &long)).await;
    assert_eq!((answer.status, wrong(&answer)), (422, vec!["?reason"]));
    assert_eq!(app.redact("anna", "$nowhere").await.status, 404);
}

#[tokio::test]
async fn an_administrator_redacts_messages_of_others_in_their_own_rooms() {
    let app = TestApp::new().await;
    let event = app.sent("anna", "beleidigend").await;
    let request = |user: &str, role: &str, tenant| {
        let request = by(user, Method::DELETE, &app.path(&event));
        let token = format!("Bearer {}", token_of(user, role, tenant));
        let mut request = request;
        request.headers_mut().expect("headers").insert("Authorization", token.parse().expect("a token"));
        request
    };
    let outsider = app.wire.ask(request("fritz", "super_admin", 2)).await;
    assert_eq!((outsider.status, &outsider.body["detail"]), (404, &json!("room not found")));
    let own = app.sent("bert", "eigenes").await;
    assert_eq!(app.redact("bert", &own).await.status, 204);
    assert_eq!(
        app.messenger.memory.recorded_redactions(),
        [],
        "one's own message is no act of administration"
    );
    for _ in 0..2 {
        assert_eq!(app.wire.ask(request("bert", "admin", 1)).await.status, 204);
    }
    let recorded = [(HubUserId::new("bert"), EventId::new(event.as_str()))];
    assert_eq!(app.messenger.memory.recorded_redactions(), recorded, "a repetition has no second entry");
    let last = app.messenger.homeserver.messages(&app.room).pop().expect("an event");
    assert_eq!(last.sender, MatrixUserId::new("@messenger:hub.local"));
    assert_eq!(app.newest("anna").await, Value::Null);
}

#[tokio::test]
async fn a_reaction_counts_once_until_it_is_removed() {
    let app = TestApp::new().await;
    let event = app.sent("anna", "Feierabend").await;
    let first = app.react("bert", &event, &json!({ "key": "👍" })).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let before = app.events();
    let again = app.react("bert", &event, &json!({ "key": "👍" })).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(app.events(), before, "it was not sent again");
    assert_eq!(app.react("anna", &event, &json!({ "key": "👍" })).await.status, 201);
    assert_eq!(app.react("bert", &event, &json!({ "key": "👀", "txn_id": "1" })).await.status, 201);
    let seen = json!([{ "key": "👍", "count": 2, "own_event": true }, { "key": "👀", "count": 1, "own_event": false }]);
    assert_eq!(app.newest("anna").await["reactions"], seen);
    assert_eq!(app.remove_reaction("bert", &event, "👍").await.status, 204);
    assert_eq!(app.remove_reaction("bert", &event, "👍").await.status, 204, "it can be repeated");
    assert_eq!(app.remove_reaction("bert", &event, "a/b?c#d").await.status, 204);
    let seen = json!([{ "key": "👍", "count": 1, "own_event": true }, { "key": "👀", "count": 1, "own_event": false }]);
    assert_eq!(app.newest("anna").await["reactions"], seen);
    let anew = app.react("bert", &event, &json!({ "key": "👍" })).await;
    assert_eq!(anew.status, 201);
    assert_ne!(anew.body, first.body, "the removed one stays removed");
    assert_eq!(
        app.newest("bert").await["reactions"][0],
        json!({ "key": "👍", "count": 2, "own_event": true })
    );
}

#[tokio::test]
async fn wrong_reactions_are_named() {
    let app = TestApp::new().await;
    let event = app.sent("anna", "x").await;
    for key in [json!(""), json!(" "), json!("a\nb"), json!("x".repeat(65)), json!(7), Value::Null] {
        let answer = app.react("bert", &event, &json!({ "key": key })).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec!["/key"]), "{key}");
    }
    let reaction = app.react("bert", &event, &json!({ "key": "👍" })).await.body;
    let reaction = reaction["event_id"].as_str().expect("an id").to_owned();
    for event in ["$nowhere", "x", &reaction] {
        let answer = app.react("bert", event, &json!({ "key": "👍" })).await;
        assert_eq!((answer.status, &answer.body["detail"]), (404, &json!("message not found")), "{event}");
    }
    assert_eq!(app.redact("bert", &reaction).await.status, 404, "a reaction is no message");
}

#[tokio::test]
async fn changes_are_refused_to_viewers_and_outsiders_and_without_the_homeserver() {
    let app = TestApp::new().await;
    let event = app.sent("anna", "x").await;
    let (message, reactions) = (app.path(&event), format!("{}/reactions", app.path(&event)));
    let calls = [
        (Method::PATCH, message.clone(), json!({ "body": "y" })),
        (Method::DELETE, message, json!({})),
        (Method::POST, reactions.clone(), json!({ "key": "👍" })),
        (Method::DELETE, format!("{reactions}/x"), json!({})),
    ];
    for (method, path, body) in calls {
        let call = async |token: &str, path: &str| {
            let mut request = by("anna", method.clone(), path);
            let token = format!("Bearer {token}").parse().expect("a header");
            request.headers_mut().expect("headers").insert("Authorization", token);
            app.wire.call(request, body.to_string()).await
        };
        let viewer = call(&token_of("viola", "viewer", 1), &path).await;
        assert_eq!((viewer.status, &viewer.body["code"]), (403, &json!("read_only_role")), "{method} {path}");
        let foreign = call(&token_of("fritz", "admin", 2), &path).await;
        assert_eq!((foreign.status, &foreign.body["detail"]), (404, &json!("room not found")), "{method}");
        let nowhere = path.replace(&segment(app.room.as_str()), "%21nowhere");
        assert_eq!(call(&token_of("anna", "user", 1), &nowhere).await.status, 404, "{method}");
        // For all calls: the accounts of those who have just signed in are being made.
        app.messenger.homeserver.switch_off();
        let away = call(&token_of("anna", "user", 1), &path).await;
        app.messenger.homeserver.switch_on();
        assert_eq!((away.status, &away.body["code"]), (503, &json!("homeserver_unavailable")), "{method}");
        assert!(away.all_headers.contains_key("retry-after"), "{method}");
    }
}
