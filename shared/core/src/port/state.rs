//! The port of the state of rooms on the homeserver: permissions, power levels, successors and invitations.

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{MatrixUserId, RoomId},
    room::Permissions,
};

/// The state of rooms, read and changed as the bot.
#[async_trait]
pub trait RoomState: Send + Sync {
    /// Returns the current permissions of a user in a room.
    async fn permissions(&self, room: &RoomId, user: &MatrixUserId) -> Result<Permissions>;

    /// Returns the room that replaced this one (`m.room.tombstone`). Returns `None` if it was not replaced,
    /// or if the bot may not read the room.
    async fn successor(&self, room: &RoomId) -> Result<Option<RoomId>>;

    /// Sets the power levels of a room that the bot created to those of a new room. Returns `false`, and
    /// changes nothing, if the bot's power level does not suffice.
    async fn correct_power_levels(&self, room: &RoomId, members_invite: bool) -> Result<bool>;

    /// Discards a room whose creation could not be completed: releases its alias, and makes the bot leave. A
    /// room with messages is kept unchanged. Repeating it is no error.
    async fn discard(&self, room: &RoomId, alias: &str) -> Result<()>;

    /// Makes the bot leave a room that it entered only to send a notice. Repeating it is no error.
    async fn leave_as_bot(&self, room: &RoomId) -> Result<()>;

    /// Returns the rooms into which a user is currently invited, each with its inviter.
    async fn invitations(&self, user: &MatrixUserId) -> Result<Vec<(RoomId, MatrixUserId)>>;
}
