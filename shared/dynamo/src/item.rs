//! Events as items, and the keys of the table.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use messenger_core::{
    Result,
    error::Failure,
    event::{Audience, Event, Kind, Payload},
    id::{EventId, HubUserId, NotificationId, Position, RoomId},
    port::RecordedEvent,
};

use crate::error::fault;

/// The attributes of the key.
pub(crate) const PARTITION: &str = "pk";
pub(crate) const SORT: &str = "sk";
/// The attribute by which DynamoDB removes an item (Amazon DynamoDB, "Time to Live").
pub(crate) const EXPIRES_AT: &str = "expires_at";
/// The number of positions of a block.
pub(crate) const BLOCK: i64 = 256;

/// The time for which an item outlives its event, so that a late rotation of the log makes no gap. The head
/// states which positions are dropped.
const GRACE: Duration = Duration::from_hours(7 * 24);

const READING: &str = "reading an event of the copy";

/// An item.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// The partition keys of one copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    copy: String,
}

impl Keys {
    pub(crate) fn new(copy: &str) -> Self {
        Self { copy: copy.to_owned() }
    }

    /// Returns the id of the copy.
    pub(crate) fn copy(&self) -> &str {
        &self.copy
    }

    /// Returns the partition of the block with a position.
    pub(crate) fn block(&self, position: i64) -> String {
        format!("{}#b#{}", self.copy, position.div_euclid(BLOCK))
    }

    /// Returns the partition of an audience.
    pub(crate) fn audience(&self, audience: &Audience) -> String {
        format!("{}#a#{audience}", self.copy)
    }

    /// Returns the partition of the head.
    pub(crate) fn head(&self) -> String {
        format!("{}#head", self.copy)
    }

    /// Returns the partition of a user.
    pub(crate) fn reader(&self, user: &HubUserId) -> String {
        format!("{}#u#{user}", self.copy)
    }
}

/// Returns a key.
pub(crate) fn key(partition: String, sort: i64) -> Item {
    Item::from([(PARTITION.to_owned(), text(partition)), (SORT.to_owned(), number(sort))])
}

/// Returns an event as the item of a partition.
pub(crate) fn of_event(partition: String, recorded: &RecordedEvent, retention: Duration) -> Item {
    let event = &recorded.event;
    let expires_at = recorded.appended_at.as_second().saturating_add(whole_seconds(retention + GRACE));
    let mut item = key(partition, event.position.0);
    let mut put = |name: &str, value| drop(item.insert(name.to_owned(), value));
    put("audience", text(event.audience.to_string()));
    put("kind", text(event.kind.as_str()));
    put("payload", text(event.payload.as_str()));
    put(EXPIRES_AT, number(expires_at));
    if let Some(notification) = event.notification {
        put("notification", number(notification.0));
    }
    if let Some(created_at) = event.notification_created_at {
        put("notification_created_at", number(created_at.as_microsecond()));
    }
    if let Some(room) = &event.room {
        put("room", text(room.as_str()));
    }
    if let Some(about) = &event.about {
        put("about", text(about.as_str()));
    }
    if event.is_redaction {
        put("is_redaction", AttributeValue::Bool(true));
    }
    item
}

/// Reads an event.
pub(crate) fn event(item: &Item) -> Result<Event> {
    let broken = || fault(Failure::Broken, READING, "an item without the fields of its event");
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
    Ok(Event {
        position: position(item)?,
        audience: text("audience").and_then(|stored| Audience::parse(stored)).ok_or_else(broken)?,
        kind: text("kind").and_then(|stored| Kind::parse(stored)).ok_or_else(broken)?,
        notification: integer(item, "notification").map(NotificationId),
        notification_created_at: integer(item, "notification_created_at")
            .and_then(|at| Timestamp::from_microsecond(at).ok()),
        room: text("room").map(|id| RoomId::new(id.as_str())),
        payload: Payload::stored(text("payload").ok_or_else(broken)?.clone()),
        about: text("about").map(|id| EventId::new(id.as_str())),
        is_redaction: item.get("is_redaction").is_some_and(|value| value.as_bool() == Ok(&true)),
    })
}

/// Reads the position of an item of an event.
pub(crate) fn position(item: &Item) -> Result<Position> {
    let position = integer(item, SORT);
    position.map(Position).ok_or_else(|| fault(Failure::Broken, READING, "an item without a position"))
}

/// Reads a whole number.
pub(crate) fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// Returns an attribute with a text.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Returns an attribute with a number.
pub(crate) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn whole_seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
