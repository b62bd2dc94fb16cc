//! Messages and edits that are taken back with another client.

use messenger_core::{
    event::{Audience, Kind},
    id::{EventId, MatrixUserId, Position, RoomId},
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::{Value, json};

use crate::{in_general_room, ready_caller};

/// Anna, who uses another client in a room of ours.
struct Stand {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

impl Stand {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        Self { messenger, anna, room }
    }

    /// The homeserver tells what stands there now.
    async fn told(&self, events: &[&EventId]) {
        let events =
            events.iter().map(|event| self.messenger.homeserver.room_event(&self.room, event)).collect();
        self.messenger.receive(events).await.expect("received");
    }

    async fn says(&self, body: &str) -> EventId {
        let event = self.messenger.homeserver.send_text(&self.room, &anna(), body);
        self.told(&[&event]).await;
        event
    }

    fn edit(&self, of: &EventId, content: &Value) -> EventId {
        let content = json!({
            "msgtype": "m.text", "body": "*", "m.new_content": content,
            "m.relates_to": { "rel_type": "m.replace", "event_id": of },
        });
        self.messenger.homeserver.send_event(&self.room, &anna(), "m.room.message", content)
    }

    async fn edits(&self, of: &EventId, body: &str) -> EventId {
        let event = self.edit(of, &json!({ "msgtype": "m.text", "body": body }));
        self.told(&[&event]).await;
        event
    }

    async fn redacts(&self, of: &EventId) {
        let event = self.messenger.homeserver.redact(&self.room, &anna(), of);
        self.told(&[&event]).await;
    }

    /// The messages, newest first, and the line by which the list of rooms shows the room.
    async fn shown(&self) -> (Vec<String>, Option<String>) {
        let page = self.messenger.history().page(&self.anna, &self.room, None, 50).await.expect("a page");
        let bodies = page.messages.into_iter().map(|message| message.body).collect();
        (bodies, self.messenger.memory.summary(&self.room).last)
    }

    /// The last thing that the members were told.
    async fn heard(&self) -> (Kind, Value) {
        let audience = [Audience::Room(fixtures::TENANT, self.room.clone())];
        let events = self.messenger.ports.feed.after(Position(0), &audience, 1000).await.expect("events");
        let last = events.last().expect("an event");
        (last.kind, serde_json::from_str(&last.json()).expect("JSON"))
    }
}

fn anna() -> MatrixUserId {
    MatrixUserId::new("@anna:hub.local")
}

/// The only message reads like this.
fn reads(body: &str) -> (Vec<String>, Option<String>) {
    (vec![body.to_owned()], Some(body.to_owned()))
}

#[tokio::test]
async fn an_edit_that_is_taken_back_is_gone_wherever_the_message_is_shown() {
    let stand = Stand::new().await;
    let message = stand.says("hello").await;
    let better = stand.edits(&message, "hello, all").await;
    let secret = stand.edits(&message, "my password").await;
    assert_eq!(stand.shown().await, reads("my password"));
    for (gone, left, edit) in [(&secret, "hello, all", Some(&better)), (&better, "hello", None)] {
        stand.redacts(gone).await;
        assert_eq!(stand.shown().await, reads(left));
        let (kind, told) = stand.heard().await;
        assert_eq!((kind, &told["event_id"]), (Kind::MessageEdited, &json!(message)));
        assert_eq!((&told["body"], &told["edit_event_id"]), (&json!(left), &json!(edit)));
        assert_eq!(told["sender_display_name"], "anna");
    }
    stand.redacts(&message).await;
    assert_eq!((stand.shown().await, stand.heard().await.0), ((vec![], None), Kind::MessageRedacted));
}

#[tokio::test]
async fn a_room_whose_last_message_is_taken_back_shows_the_one_before_and_nothing_unread() {
    let stand = Stand::new().await;
    let bert = ready_caller(&stand.messenger, "bert").await;
    let seen = async || {
        let rooms = stand.messenger.rooms().list(&bert).await.expect("rooms");
        let seen = rooms.into_iter().find(|room| room.matrix_room_id == stand.room).expect("the room");
        (seen.last_message, seen.unread_count)
    };
    stand.says("to all").await;
    stand.messenger.rooms().mark_read(&bert, &stand.room).await.expect("read");
    let wrong = stand.says("wrong room").await;
    assert_eq!(seen().await, (Some("wrong room".to_owned()), 1));
    stand.redacts(&wrong).await;
    assert_eq!(seen().await, (Some("to all".to_owned()), 0));
}

#[tokio::test]
async fn an_edit_and_its_end_may_be_told_at_once() {
    let stand = Stand::new().await;
    let message = stand.says("hello").await;
    let secret = stand.edit(&message, &json!({ "msgtype": "m.text", "body": "my password" }));
    // Told as it was when it happened, by a push that was late.
    let edit = stand.messenger.homeserver.room_event(&stand.room, &secret);
    let end = stand.messenger.homeserver.redact(&stand.room, &anna(), &secret);
    let end = stand.messenger.homeserver.room_event(&stand.room, &end);
    stand.messenger.receive(vec![edit, end]).await.expect("received");
    assert_eq!(stand.shown().await, reads("hello"));
    let (kind, told) = stand.heard().await;
    assert_eq!((kind, &told["body"]), (Kind::MessageEdited, &json!("hello")));
}
