//! Messages and edits that are redacted with another client.

use messenger_core::{event::Kind, id::EventId};
use serde_json::json;

use crate::{other_client::Fixture, ready_caller};

async fn deliver_text(fixture: &Fixture, body: &str) -> EventId {
    fixture.deliver("m.room.message", json!({ "msgtype": "m.text", "body": body })).await
}

async fn deliver_edit(fixture: &Fixture, of: &EventId, body: &str) -> EventId {
    let edit = fixture.edit(of, &json!({ "msgtype": "m.text", "body": body }));
    fixture.receive(&edit).await;
    edit
}

async fn deliver_redaction(fixture: &Fixture, of: &EventId) {
    fixture.receive(&fixture.redact(of)).await;
}

/// Returns the messages, newest first, and the last message in the room list.
async fn shown(fixture: &Fixture) -> (Vec<String>, Option<String>) {
    let bodies = fixture.history().await.into_iter().map(|message| message.body).collect();
    (bodies, fixture.messenger.memory.summary(&fixture.room).last)
}

/// Returns the expected [`shown`] for one message with this text.
fn shows(body: &str) -> (Vec<String>, Option<String>) {
    (vec![body.to_owned()], Some(body.to_owned()))
}

#[tokio::test]
async fn a_redacted_edit_has_no_effect_wherever_the_message_is_shown() {
    let fixture = Fixture::new().await;
    let message = deliver_text(&fixture, "hello").await;
    let better = deliver_edit(&fixture, &message, "hello, all").await;
    let secret = deliver_edit(&fixture, &message, "my password").await;
    assert_eq!(shown(&fixture).await, shows("my password"));
    for (redacted, left, edit) in [(&secret, "hello, all", Some(&better)), (&better, "hello", None)] {
        deliver_redaction(&fixture, redacted).await;
        assert_eq!(shown(&fixture).await, shows(left));
        let (kind, payload) = fixture.last_event().await;
        assert_eq!((kind, &payload["event_id"]), (Kind::MessageEdited, &json!(message)));
        assert_eq!((&payload["body"], &payload["edit_event_id"]), (&json!(left), &json!(edit)));
        assert_eq!(payload["sender_display_name"], "anna");
    }
    deliver_redaction(&fixture, &message).await;
    assert_eq!(
        (shown(&fixture).await, fixture.last_event().await.0),
        ((vec![], None), Kind::MessageRedacted)
    );
}

#[tokio::test]
async fn a_room_whose_last_message_is_redacted_shows_the_previous_one_as_read() {
    let fixture = Fixture::new().await;
    let bert = ready_caller(&fixture.messenger, "bert").await;
    let seen = async || {
        let rooms = fixture.messenger.rooms().list(&bert).await.expect("rooms");
        let seen = rooms.into_iter().find(|room| room.matrix_room_id == fixture.room).expect("the room");
        (seen.last_message, seen.unread_count)
    };
    deliver_text(&fixture, "to all").await;
    fixture.messenger.rooms().mark_read(&bert, &fixture.room).await.expect("read");
    let wrong = deliver_text(&fixture, "wrong room").await;
    assert_eq!(seen().await, (Some("wrong room".to_owned()), 1));
    deliver_redaction(&fixture, &wrong).await;
    assert_eq!(seen().await, (Some("to all".to_owned()), 0));
}

#[tokio::test]
async fn an_edit_and_its_redaction_may_arrive_together() {
    let fixture = Fixture::new().await;
    let message = deliver_text(&fixture, "hello").await;
    let secret = fixture.edit(&message, &json!({ "msgtype": "m.text", "body": "my password" }));
    // A late push has the edit as it was sent.
    let edit = fixture.messenger.homeserver.room_event(&fixture.room, &secret);
    let end = fixture.redact(&secret);
    let end = fixture.messenger.homeserver.room_event(&fixture.room, &end);
    fixture.messenger.ingest().receive(vec![edit, end]).await.expect("received");
    assert_eq!(shown(&fixture).await, shows("hello"));
    let (kind, payload) = fixture.last_event().await;
    assert_eq!((kind, &payload["body"]), (Kind::MessageEdited, &json!("hello")));
}
