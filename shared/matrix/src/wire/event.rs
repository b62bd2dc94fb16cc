//! Room events of the client-server API.

use jiff::Timestamp;
use messenger_core::{
    alarm::EpisodeId,
    id::{AlarmId, EventId, MatrixUserId, NotificationId, RoomId},
    json,
    message::MessageContent,
    port::Redactable,
    rendering::{MARKER, alarm::ALARM_MARKER},
    room_event::{Content, RoomEvent},
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    has_nul,
    message::{parse_content, parse_content_as},
    string,
};

/// The event types that are messages. The last is the type of polls in clients that implement the proposal
/// MSC3381.
pub const MESSAGE_TYPES: [&str; 4] =
    ["m.room.message", "m.sticker", "m.poll.start", "org.matrix.msc3381.poll.start"];
/// The text fallback of a poll (MSC1767).
const POLL_TEXT: &str = "org.matrix.msc1767.text";

#[derive(Deserialize)]
struct ClientEvent {
    event_id: String,
    room_id: Option<String>,
    sender: String,
    #[serde(rename = "type")]
    kind: String,
    state_key: Option<String>,
    /// Unparsed, so that an invalid time does not make the event unreadable: see [`parse_timestamp`].
    origin_server_ts: Option<Box<RawValue>>,
    #[serde(deserialize_with = "json::deserialize")]
    content: Value,
    redacts: Option<String>,
    /// Unparsed, because it contains other events: their faults do not make this event unreadable.
    unsigned: Option<Box<RawValue>>,
}

/// The id of an event, for the log.
#[derive(Deserialize)]
struct WithId {
    event_id: String,
}

/// Parses a room event. `room` is the room of an event that names none, as in `/sync`. Returns `None` if the
/// event cannot be parsed or has a type that the service does not use.
///
/// Parse lists of events as lists of [`RawValue`]: homeservers accept deeper nesting than `serde_json`, and
/// one such event must not make the list unreadable.
pub fn parse_event(event: &RawValue, room: Option<&RoomId>) -> Option<RoomEvent> {
    let event: ClientEvent = match json::parse(event.get()) {
        Ok(event) => event,
        Err(error) => {
            let id = serde_json::from_str::<WithId>(event.get()).ok().map(|event| event.event_id);
            tracing::warn!(event = id, %error, "event skipped: it cannot be parsed");
            return None;
        }
    };
    // The database would refuse such an event each time that the homeserver sends it.
    let ids = [Some(&event.event_id), event.room_id.as_ref(), Some(&event.sender), event.state_key.as_ref()];
    if ids.into_iter().chain([event.redacts.as_ref()]).flatten().any(|id| has_nul(id)) {
        return None;
    }
    let room_id = event.room_id.as_deref().map(RoomId::new).or_else(|| room.cloned())?;
    let content = content(&event)?;
    Some(RoomEvent {
        edited: bundled_edit(&event),
        notification: event
            .content
            .get(MARKER)
            .and_then(|marker| marker.get("id")?.as_i64())
            .map(NotificationId),
        alarm: event.content.get(ALARM_MARKER).and_then(episode),
        thread: event.content.get("m.relates_to").and_then(thread),
        event_id: EventId::new(event.event_id),
        room_id,
        sender: MatrixUserId::new(event.sender),
        timestamp: parse_timestamp(event.origin_server_ts.as_deref()),
        content,
    })
}

fn thread(relation: &Value) -> Option<EventId> {
    let root = string(relation.get("event_id"))?;
    (relation.get("rel_type")?.as_str()? == "m.thread").then(|| EventId::new(root))
}

fn episode(marker: &Value) -> Option<EpisodeId> {
    let number = |name: &str| marker.get(name)?.as_i64();
    Some(EpisodeId { alarm: AlarmId(number("id")?), episode: number("episode")? })
}

/// Parses a message, which may be redacted. Returns `None` for an event of another type, and for an edit.
pub fn parse_redactable(event: &RawValue) -> Option<Redactable> {
    let event: ClientEvent = json::parse(event.get()).ok()?;
    let is_message = MESSAGE_TYPES.contains(&event.kind.as_str());
    // A redaction leaves nothing of the content.
    let is_redacted = event.content.as_object().is_some_and(serde_json::Map::is_empty);
    let is_whole = matches!(content(&event), Some(Content::Message(_)));
    (is_message && (is_redacted || is_whole))
        .then(|| Redactable { sender: MatrixUserId::new(event.sender), is_redacted })
}

/// Parses a time of a homeserver (`origin_server_ts`, in milliseconds) for display. A time before 1970 or
/// after the year 9999 becomes the nearest time that can be shown. A value that is not a number becomes 1970.
pub fn parse_timestamp(origin_server_ts: Option<&RawValue>) -> Timestamp {
    let text = origin_server_ts.map_or("", |raw| raw.get().trim_matches('"'));
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
    let field = |name: &str| string(event.content.get(name));
    let relation = |name: &str| string(event.content.get("m.relates_to")?.get(name));
    let is_state = event.state_key.as_deref() == Some("");
    match event.kind.as_str() {
        kind if MESSAGE_TYPES.contains(&kind) => {
            if relation("rel_type").as_deref() != Some("m.replace") {
                return message(kind, &event.content).map(Content::Message);
            }
            let content = message(kind, event.content.get("m.new_content")?)?;
            Some(Content::Edited { of: EventId::new(relation("event_id")?), content })
        }
        "m.reaction" => {
            Some(Content::Reaction { of: EventId::new(relation("event_id")?), key: relation("key")? })
        }
        // `redacts` is in the content since room version 11, and beside it before.
        "m.room.redaction" => {
            Some(Content::Redacted { of: EventId::new(field("redacts").or_else(|| event.redacts.clone())?) })
        }
        "m.room.name" => Some(Content::Named(field("name").unwrap_or_default())),
        "m.room.topic" => Some(Content::Topic(field("topic").unwrap_or_default())),
        "m.room.encryption" if is_state => Some(Content::Encrypted),
        "m.room.history_visibility" if is_state => {
            let is_restricted = matches!(field("history_visibility")?.as_str(), "joined" | "invited");
            Some(Content::HistoryVisibility { is_restricted })
        }
        "m.room.tombstone" if is_state => Some(Content::Upgraded),
        "m.room.member" => {
            let user = MatrixUserId::new(event.state_key.as_deref()?);
            match field("membership")?.as_str() {
                "join" => Some(Content::Joined(user)),
                "leave" | "ban" => Some(Content::Left(user)),
                "invite" => Some(Content::Invited(user)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Returns the message of an event of this type.
fn message(kind: &str, content: &Value) -> Option<MessageContent> {
    match kind {
        "m.room.message" => parse_content(content),
        "m.sticker" => parse_content_as("m.image", content),
        // A poll becomes its text fallback, the question with its answers: the service offers no votes.
        _ => {
            let text = content.pointer("/m.text/0/body").or_else(|| content.get(POLL_TEXT));
            Some(MessageContent::text(string(text)?, "m.text"))
        }
    }
}

/// Returns the last edit of a message, which Synapse sends along with it. Edits by others than the sender are
/// invalid.
fn bundled_edit(event: &ClientEvent) -> Option<MessageContent> {
    let unsigned = json::value(event.unsigned.as_ref()?);
    let edit = unsigned.pointer("/m.relations/m.replace")?;
    if edit.get("sender")?.as_str()? != event.sender {
        return None;
    }
    message(&event.kind, edit.pointer("/content/m.new_content")?)
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;

    #[test]
    fn an_event_is_parsed_with_any_time() {
        let last = "9999-12-30T22:00:00Z";
        for (time, expected) in [
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
                 \"origin_server_ts\":{time},\"content\":{{\"msgtype\":\"m.text\",\"body\":\"x\"}}}}"
            );
            let event = parse_event(&RawValue::from_string(event).unwrap(), None);
            assert_eq!(event.unwrap().timestamp.to_string(), expected, "{time}");
        }
        let without = serde_json::json!({
            "event_id": "$1", "room_id": "!1", "sender": "@a:b", "type": "m.room.message",
            "content": { "msgtype": "m.text", "body": "x" },
        });
        let event = parse_event(&to_raw_value(&without).unwrap(), None);
        assert_eq!(event.unwrap().timestamp, Timestamp::UNIX_EPOCH);
    }
}
