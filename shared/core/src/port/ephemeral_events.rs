//! The port of ephemeral events on the homeserver (Matrix Client-Server API, "Receipts" and "Typing
//! Notifications").

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{EventId, MatrixUserId, RoomId},
};

/// The ephemeral events that this service sends to the homeserver in the name of users.
#[async_trait]
pub trait EphemeralEvents: Send + Sync {
    /// Sends a private read receipt for this event (`m.read.private`), which only the user's own devices see.
    async fn mark_read(&self, room: &RoomId, user: &MatrixUserId, event: &EventId) -> Result<()>;

    /// Starts the typing notification of the user, who must be in the room, for the given time; `None` stops
    /// it.
    async fn set_typing(&self, room: &RoomId, user: &MatrixUserId, lasting: Option<Duration>) -> Result<()>;
}
