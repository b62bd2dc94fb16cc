//! The port of events that refer to another one (Matrix Client-Server API, "Relationships between events" and
//! "Redactions").

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    error::Result,
    id::{EventId, MatrixUserId, RoomId},
};

/// A message that a user wants to redact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redactable {
    /// The sender of the message.
    pub sender: MatrixUserId,
    /// Whether it is redacted already.
    pub is_redacted: bool,
}

/// A reaction of a user to a message.
#[derive(Debug, Clone, Copy)]
pub struct NewReaction<'a> {
    /// The room.
    pub room: &'a RoomId,
    /// The message.
    pub of: &'a EventId,
    /// The user.
    pub sender: &'a MatrixUserId,
    /// The emoji or text.
    pub key: &'a str,
}

/// The events of rooms that refer to another one.
#[async_trait]
pub trait Relations: Send + Sync {
    /// Sends `m.reaction` as a user, who must be in the room. `at` becomes the time of the event.
    ///
    /// Repeating a transaction id sends nothing and returns the first event. Returns `None` if the homeserver
    /// refuses it because the user has reacted to the message with this key; not every homeserver does.
    async fn react(
        &self,
        reaction: NewReaction<'_>,
        transaction: &str,
        at: Timestamp,
    ) -> Result<Option<EventId>>;

    /// Returns the reactions of a user to a message with a key, which may not be ingested yet. Of a message
    /// with some hundred reactions the last ones are looked at.
    async fn reactions(&self, reaction: NewReaction<'_>) -> Result<Vec<EventId>>;

    /// Returns who sent a message, and whether it is redacted; `None` if the room has no such message.
    async fn redactable(&self, room: &RoomId, event: &EventId) -> Result<Option<Redactable>>;

    /// Redacts an event as a user or the bot. Returns the redaction.
    async fn redact(
        &self,
        room: &RoomId,
        event: &EventId,
        sender: &MatrixUserId,
        transaction: &str,
        reason: Option<&str>,
    ) -> Result<EventId>;
}
