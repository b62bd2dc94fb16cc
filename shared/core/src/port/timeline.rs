//! The port of the events of rooms on the homeserver (Matrix Client-Server API, "Events" and "Syncing").

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    error::Result,
    id::{EventId, MatrixUserId, RoomId},
    receipt::Receipt,
    room_event::RoomEvent,
    typing::Typing,
};

/// A page of a room's events.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelinePage {
    /// The events that this service uses, in the requested order.
    pub events: Vec<RoomEvent>,
    /// The ids of all events of the page, in the same order. They include unused and redacted events.
    pub ids: Vec<EventId>,
    /// The token at which the page begins.
    pub start: String,
    /// The token at which the next page begins; `None` if this is the last page.
    pub end: Option<String>,
}

/// Events on both sides of an event.
#[derive(Debug, Clone, PartialEq)]
pub struct Surroundings {
    /// The events that this service uses, newest first. The event is among them if it is one.
    pub events: Vec<RoomEvent>,
    /// The token at which the earlier page begins, for [`before`](Timeline::before).
    pub before: String,
    /// The token at which the later page begins, for [`later`](Timeline::later).
    pub later: String,
}

/// The changes in all rooms since a sync token.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// The rooms with new events.
    pub rooms: Vec<RoomChanges>,
    /// The rooms into which the bot is invited, each with its inviter.
    pub invitations: Vec<(RoomId, MatrixUserId)>,
    /// The changed typing notifications.
    pub typing: Vec<Typing>,
    /// The receipts of other clients.
    pub receipts: Vec<Receipt>,
    /// The rooms that the bot has left, or from which it was removed.
    pub left: Vec<RoomId>,
    /// The sync token after these changes.
    pub next: String,
}

/// The new events of a room.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomChanges {
    /// The room.
    pub room: RoomId,
    /// The events, oldest first.
    pub events: Vec<RoomEvent>,
    /// Whether earlier events since the sync token are left out (`limited`).
    pub is_limited: bool,
}

/// The events of rooms on the homeserver: sent as the bot or a user, and read as the bot.
#[async_trait]
pub trait Timeline: Send + Sync {
    /// Sends `m.room.message` as the bot. Repeating a transaction id sends nothing and returns the first
    /// event.
    async fn send(&self, room: &RoomId, transaction: &str, content: &serde_json::Value) -> Result<EventId>;

    /// Sends `m.room.message` as a user, who must be in the room. `at` becomes the time of the event, in
    /// milliseconds.
    ///
    /// Repeating a transaction id sends nothing and returns the first event, for at least a day. The id must
    /// not be used for another user or room.
    async fn send_as(
        &self,
        room: &RoomId,
        sender: &MatrixUserId,
        transaction: &str,
        at: Timestamp,
        content: &serde_json::Value,
    ) -> Result<EventId>;

    /// Returns the messages before a token, newest first; without a token, from the end of the room.
    ///
    /// A homeserver that can filter leaves out all other events. With a `reader`, the page is read as that
    /// user, without the events that the history visibility of the room hides from them; without one, as the
    /// bot.
    ///
    /// # Errors
    /// [`Failure::UnknownToken`](crate::error::Failure::UnknownToken) if the homeserver does not know
    /// the token.
    async fn before(
        &self,
        room: &RoomId,
        from: Option<&str>,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<TimelinePage>;

    /// Returns all events before a token that this service uses, newest first. Else as
    /// [`before`](Self::before) as the bot.
    async fn all_before(&self, room: &RoomId, from: Option<&str>, limit: u32) -> Result<TimelinePage>;

    /// Returns the events after a sync token of [`changes`](Self::changes) or after the end of a page, oldest
    /// first.
    ///
    /// # Errors
    /// [`Failure::UnknownToken`](crate::error::Failure::UnknownToken) if the homeserver does not know
    /// the token.
    async fn after(&self, room: &RoomId, from: &str, limit: u32) -> Result<TimelinePage>;

    /// Returns the messages after a token, oldest first. Else as [`before`](Self::before).
    ///
    /// # Errors
    /// [`Failure::UnknownToken`](crate::error::Failure::UnknownToken) if the homeserver does not know
    /// the token.
    async fn later(
        &self,
        room: &RoomId,
        from: &str,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<TimelinePage>;

    /// Returns an event of any type with the messages around it, some `limit` in all; `None` if the room has
    /// no such event, or if the reader may not see it. Else as [`before`](Self::before).
    async fn around(
        &self,
        room: &RoomId,
        event: &EventId,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<Option<Surroundings>>;

    /// Returns an event; `None` if the room has no such event, or if this service does not use it.
    async fn event(&self, room: &RoomId, event: &EventId) -> Result<Option<RoomEvent>>;

    /// Returns the ids of an event and of at most `limit` events before it, newest first and of any type.
    /// Returns none if the room has no such event.
    async fn up_to(&self, room: &RoomId, event: &EventId, limit: u32) -> Result<Vec<EventId>>;

    /// Returns the changes in all rooms since a sync token, and waits up to `patience` if there are none.
    /// Without a token it returns the current state.
    ///
    /// Conduit treats an unknown token as none, and reports it only in [`after`](Self::after).
    ///
    /// # Errors
    /// [`Failure::UnknownToken`](crate::error::Failure::UnknownToken) if the homeserver does not know
    /// the token.
    async fn changes(&self, since: Option<&str>, patience: Duration) -> Result<Changes>;
}
