//! The port of the state of rooms on the homeserver: what users may do there, and what replaced a room.

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{MatrixUserId, RoomId},
    room::Permissions,
};

/// The state of rooms, read and changed as the bot.
#[async_trait]
pub trait RoomState: Send + Sync {
    /// Returns what a user may do in a room now.
    async fn permissions(&self, room: &RoomId, user: &MatrixUserId) -> Result<Permissions>;

    /// Returns the room that replaced this one (`m.room.tombstone`); `None` if none did, or if the bot may not read the
    /// room.
    async fn successor(&self, room: &RoomId) -> Result<Option<RoomId>>;

    /// Corrects the power levels of a room that the bot made, so that they are those of a new room. Returns `false` if
    /// the bot has not got the power to do so.
    async fn correct_power_levels(&self, room: &RoomId, members_invite: bool) -> Result<bool>;

    /// Takes back a room that could not be completed: its alias is free again, and the bot leaves. A room in which
    /// something was said stays. Repeating it is no error.
    async fn discard(&self, room: &RoomId, alias: &str) -> Result<()>;

    /// Takes the bot out of a room that it entered only to say something.
    async fn leave_as_bot(&self, room: &RoomId) -> Result<()>;

    /// Returns the rooms into which a user is invited now, each with its inviter.
    async fn invitations(&self, user: &MatrixUserId) -> Result<Vec<(RoomId, MatrixUserId)>>;
}
