//! The events of a transaction, as far as they concern us. What cannot be read is passed over: one strange event must
//! not keep the homeserver from telling the next.

use jiff::Timestamp;
use messenger_core::{
    Error, Result,
    error::Problem,
    id::{EventId, MatrixUserId, RoomId},
    inbound::{Content, RoomEvent},
};
use serde::Deserialize;
use serde_json::Value;

/// The body of a transaction.
#[derive(Deserialize)]
pub(crate) struct Transaction {
    events: Vec<Value>,
}

#[derive(Deserialize)]
struct ClientEvent {
    event_id: String,
    room_id: String,
    sender: String,
    #[serde(rename = "type")]
    kind: String,
    state_key: Option<String>,
    origin_server_ts: i64,
    content: Value,
}

impl Transaction {
    pub(crate) fn parse(body: &[u8]) -> Result<Vec<RoomEvent>> {
        let transaction: Self = serde_json::from_slice(body).map_err(|error| {
            Error::Invalid(vec![Problem::new("", error.to_string()).coded("invalid_json")])
        })?;
        Ok(transaction.events.into_iter().filter_map(room_event).collect())
    }
}

fn room_event(event: Value) -> Option<RoomEvent> {
    let event: ClientEvent = serde_json::from_value(event).ok()?;
    // No id has U+0000, and no database stores it: such an event would come back for ever.
    let ids = [Some(&event.event_id), Some(&event.room_id), Some(&event.sender), event.state_key.as_ref()];
    if ids.into_iter().flatten().any(|id| id.contains('\0')) {
        return None;
    }
    let content = content(&event)?;
    Some(RoomEvent {
        event_id: EventId::new(event.event_id),
        room_id: RoomId::new(event.room_id),
        sender: MatrixUserId::new(event.sender),
        timestamp: Timestamp::from_millisecond(event.origin_server_ts).ok()?,
        content,
    })
}

fn content(event: &ClientEvent) -> Option<Content> {
    let text =
        |field: &str| event.content.get(field).and_then(Value::as_str).map(|text| text.replace('\0', ""));
    match event.kind.as_str() {
        // An edit is no new message (Matrix specification, "Event replacements").
        "m.room.message"
            if event.content.pointer("/m.relates_to/rel_type").is_some_and(|kind| kind == "m.replace") =>
        {
            None
        }
        "m.room.message" => Some(Content::Message { body: text("body")?, msg_type: text("msgtype")? }),
        "m.room.member" => {
            let user = MatrixUserId::new(event.state_key.as_deref()?);
            match text("membership")?.as_str() {
                "join" => Some(Content::Joined(user)),
                "leave" | "ban" => Some(Content::Left(user)),
                _ => None,
            }
        }
        _ => None,
    }
}
