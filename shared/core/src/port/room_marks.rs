//! The port of the marks of rooms.

use async_trait::async_trait;

use crate::domain::{error::Result, id::RoomId, room::Marks};

/// The marks of rooms: encryption, restricted history, and sent notices.
#[async_trait]
pub trait RoomMarks: Send + Sync {
    /// Returns the marks of a room; `None` if the room is not registered.
    async fn marks(&self, room: &RoomId) -> Result<Option<Marks>>;

    /// Adds marks to a room. No mark is ever removed.
    async fn mark(&self, room: &RoomId, marks: Marks) -> Result<()>;

    /// Returns whether the notice was sent that messages of this unregistered room do not reach all members.
    async fn is_warned(&self, room: &RoomId) -> Result<bool>;

    /// Stores that the notice was sent. Repeating it changes nothing.
    async fn warned(&self, room: &RoomId) -> Result<()>;
}
