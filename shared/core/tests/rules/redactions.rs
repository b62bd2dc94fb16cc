//! Messages and edits that are redacted with another client.

use messenger_core::{
    event::{Audience, Kind},
    id::{EventId, MatrixUserId, Position, RoomId},
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::{Value, json};

use crate::{in_general_room, ready_caller};

/// Anna, who uses another client in a room of the service.
struct Fixture {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

impl Fixture {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        Self { messenger, anna, room }
    }

    /// Receives events as the homeserver has them now.
    async fn receive(&self, events: &[&EventId]) {
        let events =
            events.iter().map(|event| self.messenger.homeserver.room_event(&self.room, event)).collect();
        self.messenger.ingest().receive(events).await.expect("received");
    }

    async fn send_text(&self, body: &str) -> EventId {
        let event = self.messenger.homeserver.send_text(&self.room, &anna(), body);
        self.receive(&[&event]).await;
        event
    }

    fn edit(&self, of: &EventId, content: &Value) -> EventId {
        let content = json!({
            "msgtype": "m.text", "body": "*", "m.new_content": content,
            "m.relates_to": { "rel_type": "m.replace", "event_id": of },
        });
        self.messenger.homeserver.send_event(&self.room, &anna(), "m.room.message", content)
    }

    async fn send_edit(&self, of: &EventId, body: &str) -> EventId {
        let event = self.edit(of, &json!({ "msgtype": "m.text", "body": body }));
        self.receive(&[&event]).await;
        event
    }

    async fn redact(&self, of: &EventId) {
        let event = self.messenger.homeserver.redact(&self.room, &anna(), of);
        self.receive(&[&event]).await;
    }

    /// Returns the messages, newest first, and the last message in the room list.
    async fn shown(&self) -> (Vec<String>, Option<String>) {
        let page = self.messenger.history().page(&self.anna, &self.room, None, 50).await.expect("a page");
        let bodies = page.messages.into_iter().map(|message| message.body).collect();
        (bodies, self.messenger.memory.summary(&self.room).last)
    }

    /// Returns kind and payload of the last published event.
    async fn last_event(&self) -> (Kind, Value) {
        let audience = [Audience::Room(fixtures::TENANT, self.room.clone())];
        let events = self.messenger.ports.feed.after(Position(0), &audience, 1000).await.expect("events");
        let last = events.last().expect("an event");
        (last.kind, serde_json::from_str(&last.json()).expect("JSON"))
    }
}

fn anna() -> MatrixUserId {
    MatrixUserId::new("@anna:hub.local")
}

/// Returns the expected [`Fixture::shown`] for one message with this text.
fn shows(body: &str) -> (Vec<String>, Option<String>) {
    (vec![body.to_owned()], Some(body.to_owned()))
}

#[tokio::test]
async fn a_redacted_edit_has_no_effect_wherever_the_message_is_shown() {
    let fixture = Fixture::new().await;
    let message = fixture.send_text("hello").await;
    let better = fixture.send_edit(&message, "hello, all").await;
    let secret = fixture.send_edit(&message, "my password").await;
    assert_eq!(fixture.shown().await, shows("my password"));
    for (redacted, left, edit) in [(&secret, "hello, all", Some(&better)), (&better, "hello", None)] {
        fixture.redact(redacted).await;
        assert_eq!(fixture.shown().await, shows(left));
        let (kind, payload) = fixture.last_event().await;
        assert_eq!((kind, &payload["event_id"]), (Kind::MessageEdited, &json!(message)));
        assert_eq!((&payload["body"], &payload["edit_event_id"]), (&json!(left), &json!(edit)));
        assert_eq!(payload["sender_display_name"], "anna");
    }
    fixture.redact(&message).await;
    assert_eq!(
        (fixture.shown().await, fixture.last_event().await.0),
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
    fixture.send_text("to all").await;
    fixture.messenger.rooms().mark_read(&bert, &fixture.room).await.expect("read");
    let wrong = fixture.send_text("wrong room").await;
    assert_eq!(seen().await, (Some("wrong room".to_owned()), 1));
    fixture.redact(&wrong).await;
    assert_eq!(seen().await, (Some("to all".to_owned()), 0));
}

#[tokio::test]
async fn an_edit_and_its_redaction_may_arrive_together() {
    let fixture = Fixture::new().await;
    let message = fixture.send_text("hello").await;
    let secret = fixture.edit(&message, &json!({ "msgtype": "m.text", "body": "my password" }));
    // A late push has the edit as it was sent.
    let edit = fixture.messenger.homeserver.room_event(&fixture.room, &secret);
    let end = fixture.messenger.homeserver.redact(&fixture.room, &anna(), &secret);
    let end = fixture.messenger.homeserver.room_event(&fixture.room, &end);
    fixture.messenger.ingest().receive(vec![edit, end]).await.expect("received");
    assert_eq!(fixture.shown().await, shows("hello"));
    let (kind, payload) = fixture.last_event().await;
    assert_eq!((kind, &payload["body"]), (Kind::MessageEdited, &json!("hello")));
}
