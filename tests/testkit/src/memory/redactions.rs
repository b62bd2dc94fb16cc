//! Redactions of the event log, in memory.

use std::collections::HashMap;

use jiff::Timestamp;
use messenger_core::{
    event::{Audience, Event, Kind, Payload},
    id::{EventId, RoomId, TenantId},
};
use serde_json::{Map, Value, json};

use super::feed::Log;

/// The ids of redacted events by room, with the time at which each was redacted.
#[derive(Default)]
pub(super) struct Table(HashMap<(RoomId, EventId), Timestamp>);

/// The payload fields that no user wrote; a redaction keeps them.
const KEPT: [&str; 7] = [
    "room_id",
    "event_id",
    "edit_event_id",
    "reaction_event_id",
    "sender",
    "sender_display_name",
    "timestamp",
];

impl Table {
    pub(super) fn note(&mut self, now: Timestamp, room: &RoomId, event: &EventId) {
        self.0.entry((room.clone(), event.clone())).or_insert(now);
    }

    pub(super) fn holds(&self, room: &RoomId, event: &EventId) -> bool {
        self.0.contains_key(&(room.clone(), event.clone()))
    }

    pub(super) fn forget(&mut self, before: Timestamp) {
        self.0.retain(|_, at| *at >= before);
    }
}

impl Log {
    /// Empties the payloads of a message and its edits, of a reaction, or of one edit (`of`) of a message.
    pub(super) fn empty(&mut self, tenant: TenantId, room: &RoomId, message: &EventId, of: &EventId) {
        let in_room = Audience::Room(tenant, room.clone());
        for event in self.events_mut().filter(|event| event.about.as_ref() == Some(message)) {
            let mut fields = fields(event);
            match event.kind {
                Kind::MessageRedacted => continue,
                Kind::RoomJoined | Kind::RoomLeft => {
                    let is_in_room = event.audience.tenant() == tenant && event.room.as_ref() == Some(room);
                    let last = fields.get_mut("room").and_then(|room| room.get_mut("last_message"));
                    if let Some(last) = last.filter(|_| is_in_room) {
                        *last = Value::Null;
                    }
                }
                kind => {
                    let is_redacted = message == of
                        || fields.get("edit_event_id").and_then(Value::as_str) == Some(of.as_str());
                    if event.audience != in_room || !is_redacted {
                        continue;
                    }
                    fields.retain(|field, _| KEPT.contains(&field.as_str()));
                    let text = if kind == Kind::Reaction { "key" } else { "body" };
                    fields.insert(text.to_owned(), "".into());
                    fields.insert("redacted".to_owned(), true.into());
                    if kind != Kind::Reaction {
                        fields.insert("msg_type".to_owned(), "m.text".into());
                        fields.insert("reply_to".to_owned(), Value::Null);
                        fields.insert("formatted_body".to_owned(), Value::Null);
                        let nobody = json!({ "hub_user_ids": [], "room": false });
                        fields.insert("mentions".to_owned(), nobody);
                    }
                }
            }
            event.payload = Payload::stored(Value::Object(fields).to_string());
        }
    }
}

fn fields(event: &Event) -> Map<String, Value> {
    serde_json::from_str(event.payload.as_str()).expect("a payload is an object")
}
