//! A room of the service in which a user sends with another client.

use messenger_core::{
    event::{Audience, Kind},
    id::{EventId, MatrixUserId, Position, RoomId},
    message::Message,
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::{Value, json};

use crate::in_general_room;

/// Anna, who uses another client in a room of the service.
pub(crate) struct Fixture {
    pub(crate) messenger: TestMessenger,
    pub(crate) anna: Caller,
    pub(crate) room: RoomId,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        Self { messenger, anna, room }
    }

    /// Sends an event, which the service does not receive yet.
    pub(crate) fn send(&self, kind: &str, content: Value) -> EventId {
        self.messenger.homeserver.send_event(&self.room, &anna(), kind, content)
    }

    /// Receives an event as the homeserver has it now.
    pub(crate) async fn receive(&self, event: &EventId) {
        let event = self.messenger.homeserver.room_event(&self.room, event);
        self.messenger.ingest().receive(vec![event]).await.expect("received");
    }

    /// Sends an event and receives it.
    pub(crate) async fn deliver(&self, kind: &str, content: Value) -> EventId {
        let event = self.send(kind, content);
        self.receive(&event).await;
        event
    }

    /// Sends an edit, which the service does not receive yet.
    pub(crate) fn edit(&self, of: &EventId, content: &Value) -> EventId {
        let content = json!({
            "msgtype": content["msgtype"], "body": "*", "m.new_content": content,
            "m.relates_to": { "rel_type": "m.replace", "event_id": of },
        });
        self.send("m.room.message", content)
    }

    /// Redacts an event, which the service does not receive yet.
    pub(crate) fn redact(&self, of: &EventId) -> EventId {
        self.messenger.homeserver.redact(&self.room, &anna(), of)
    }

    /// Returns the messages, newest first.
    pub(crate) async fn history(&self) -> Vec<Message> {
        self.messenger.history().page(&self.anna, &self.room, None, 50).await.expect("a page").messages
    }

    /// Returns kind and payload of the last event that was published to the room.
    pub(crate) async fn last_event(&self) -> (Kind, Value) {
        let audience = [Audience::Room(fixtures::TENANT, self.room.clone())];
        let events = self
            .messenger
            .ports
            .feed
            .after(Position(0), &fixtures::all_of(&audience), 1000)
            .await
            .expect("events");
        let last = events.last().expect("an event");
        (last.kind, serde_json::from_str(&last.json()).expect("JSON"))
    }
}

fn anna() -> MatrixUserId {
    MatrixUserId::new("@anna:hub.local")
}
