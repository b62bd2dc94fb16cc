//! Reading events as homeservers write them. What cannot be read is passed over: one strange event must not keep us from
//! the next.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::domain::{
    id::{EventId, MatrixUserId, RoomId},
    json,
    message::{MessageContent, legible},
    room_event::{Content, RoomEvent},
};

/// The types of events by which somebody says something. What clients call polls as long as they follow the proposal
/// (MSC3381) is the last of them.
pub const MESSAGES: [&str; 4] =
    ["m.room.message", "m.sticker", "m.poll.start", "org.matrix.msc3381.poll.start"];

/// The text that stands for a poll (MSC1767).
const POLL_TEXT: &str = "org.matrix.msc1767.text";

#[derive(Deserialize)]
struct ClientEvent {
    event_id: String,
    room_id: Option<String>,
    sender: String,
    #[serde(rename = "type")]
    kind: String,
    state_key: Option<String>,
    /// Read by [`timestamp`]: no time costs the event.
    origin_server_ts: Option<Box<RawValue>>,
    #[serde(deserialize_with = "json::deserialize")]
    content: Value,
    redacts: Option<String>,
    /// Read when it is needed: it holds other events, and what is wrong with them is not wrong with this one.
    unsigned: Option<Box<RawValue>>,
}

/// All that can be read of some events.
#[derive(Deserialize)]
struct Named {
    event_id: String,
}

impl RoomEvent {
    /// Reads an event of the client-server API. `room` is where it stands if the event itself does not say it, as in
    /// `/sync`. `None` if it does not concern us.
    ///
    /// Lists of events are to be read as lists of [`RawValue`]: homeservers take events that are nested more deeply than
    /// we read, and one of them must not cost the list.
    pub fn read(event: &RawValue, room: Option<&RoomId>) -> Option<Self> {
        let event: ClientEvent = match json::parse(event.get()) {
            Ok(event) => event,
            Err(error) => {
                let named = serde_json::from_str::<Named>(event.get()).ok();
                let id = named.map(|named| named.event_id);
                tracing::warn!(event = id, %error, "an event that cannot be read is passed over");
                return None;
            }
        };
        // No id has U+0000, and no database stores it: such an event would come back for ever.
        let ids =
            [Some(&event.event_id), event.room_id.as_ref(), Some(&event.sender), event.state_key.as_ref()];
        if ids.into_iter().chain([event.redacts.as_ref()]).flatten().any(|id| id.contains('\0')) {
            return None;
        }
        let room_id = event.room_id.as_deref().map(RoomId::new).or_else(|| room.cloned())?;
        let content = content(&event)?;
        Some(Self {
            edited: bundled_edit(&event),
            event_id: EventId::new(event.event_id),
            room_id,
            sender: MatrixUserId::new(event.sender),
            timestamp: timestamp(event.origin_server_ts.as_deref()),
            content,
        })
    }
}

/// Reads a time of a homeserver (`origin_server_ts`) for display: what lies before 1970 or after the year 9999 becomes the
/// nearest time that can be shown, and what is no number the first one.
pub fn timestamp(origin_server_ts: Option<&RawValue>) -> Timestamp {
    let text = origin_server_ts.map_or("", |given| given.get().trim_matches('"'));
    let milliseconds = text.parse().unwrap_or_else(|_| saturating(text.parse().unwrap_or_default()));
    let representable = milliseconds.clamp(0, Timestamp::MAX.as_second() * 1000);
    Timestamp::from_millisecond(representable).unwrap_or(Timestamp::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the nearest whole number is wanted, and the nearest bound"
)]
fn saturating(number: f64) -> i64 {
    number as i64
}

fn content(event: &ClientEvent) -> Option<Content> {
    let text = |field: &str| legible(event.content.get(field));
    let relation = |field: &str| legible(event.content.get("m.relates_to")?.get(field));
    let is_state = event.state_key.as_deref() == Some("");
    match event.kind.as_str() {
        kind if MESSAGES.contains(&kind) => {
            if relation("rel_type").as_deref() != Some("m.replace") {
                return said(kind, &event.content).map(Content::Message);
            }
            let said = said(kind, event.content.get("m.new_content")?)?;
            Some(Content::Edited { of: EventId::new(relation("event_id")?), said })
        }
        "m.reaction" => {
            Some(Content::Reaction { of: EventId::new(relation("event_id")?), key: relation("key")? })
        }
        // In the content since room version 11, beside it before.
        "m.room.redaction" => {
            Some(Content::Redacted { of: EventId::new(text("redacts").or_else(|| event.redacts.clone())?) })
        }
        "m.room.name" => Some(Content::Named(text("name").unwrap_or_default())),
        "m.room.topic" => Some(Content::Topic(text("topic").unwrap_or_default())),
        "m.room.encryption" if is_state => Some(Content::Encrypted),
        "m.room.history_visibility" if is_state => {
            let is_restricted = matches!(text("history_visibility")?.as_str(), "joined" | "invited");
            Some(Content::HistoryVisibility { is_restricted })
        }
        "m.room.tombstone" if is_state => Some(Content::Upgraded),
        "m.room.member" => {
            let user = MatrixUserId::new(event.state_key.as_deref()?);
            match text("membership")?.as_str() {
                "join" => Some(Content::Joined(user)),
                "leave" | "ban" => Some(Content::Left(user)),
                "invite" => Some(Content::Invited(user)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What somebody says by an event of this type.
fn said(kind: &str, content: &Value) -> Option<MessageContent> {
    match kind {
        "m.room.message" => MessageContent::read(content),
        "m.sticker" => MessageContent::read_as("m.image", content),
        // Nobody votes here; the fallback has the question and its answers.
        _ => {
            let text = content.pointer("/m.text/0/body").or_else(|| content.get(POLL_TEXT));
            Some(MessageContent::text(legible(text)?, "m.text"))
        }
    }
}

/// The last edit, as Synapse sends it along. Only who wrote a message may change it.
fn bundled_edit(event: &ClientEvent) -> Option<MessageContent> {
    let unsigned = json::value(event.unsigned.as_ref()?);
    let edit = unsigned.pointer("/m.relations/m.replace")?;
    if edit.get("sender")?.as_str()? != event.sender {
        return None;
    }
    said(&event.kind, edit.pointer("/content/m.new_content")?)
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    #[test]
    fn no_time_costs_the_event() {
        let last = "9999-12-30T22:00:00Z";
        for (given, expected) in [
            ("1767250800123", "2026-01-01T07:00:00.123Z"),
            ("1767250800123.9", "2026-01-01T07:00:00.123Z"),
            ("1.7672508e12", "2026-01-01T07:00:00Z"),
            ("\"1767250800123\"", "2026-01-01T07:00:00.123Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("-1", "1970-01-01T00:00:00Z"),
            ("-1e400", "1970-01-01T00:00:00Z"),
            ("253402300800000", last),
            ("9007199254740993", last),
            ("9223372036854775808", last),
            ("1e400", last),
            ("null", "1970-01-01T00:00:00Z"),
            ("\"noon\"", "1970-01-01T00:00:00Z"),
            ("{\"at\":7}", "1970-01-01T00:00:00Z"),
        ] {
            let event = format!(
                "{{\"event_id\":\"$1\",\"room_id\":\"!1\",\"sender\":\"@a:b\",\"type\":\"m.room.message\",\
                 \"origin_server_ts\":{given},\"content\":{{\"msgtype\":\"m.text\",\"body\":\"x\"}}}}"
            );
            let event = RoomEvent::read(&RawValue::from_string(event).expect("JSON"), None);
            let shown = event.expect("it is read").timestamp.to_string();
            assert_eq!(shown, expected, "{given}");
        }
        let without = serde_json::json!({
            "event_id": "$1", "room_id": "!1", "sender": "@a:b", "type": "m.room.message",
            "content": { "msgtype": "m.text", "body": "x" },
        });
        let read = RoomEvent::read(&to_raw_value(&without).expect("JSON"), None);
        assert_eq!(read.expect("it is read").timestamp, Timestamp::UNIX_EPOCH);
    }
}
