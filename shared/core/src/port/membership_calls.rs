//! The port of memberships on the homeserver (Matrix Client-Server API, "Room membership").

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{MatrixUserId, RoomId},
};

/// The memberships of users and of the bot in rooms on the homeserver.
#[async_trait]
pub trait MembershipCalls: Send + Sync {
    /// Makes the user a member of the room, invited by the bot if necessary. Repeating it changes nothing.
    async fn join(&self, room: &RoomId, user: &MatrixUserId) -> Result<()>;

    /// Makes the user a member of the room, invited by `member`, who must have the right to invite.
    async fn join_by(&self, room: &RoomId, member: &MatrixUserId, user: &MatrixUserId) -> Result<()>;

    /// Accepts the current invitation to the room. Returns `false`, and changes nothing, if the user has
    /// joined already or is not invited (any more).
    async fn accept(&self, room: &RoomId, user: &MatrixUserId) -> Result<bool>;

    /// Leaves the room. Succeeds as well if the user is not in it.
    async fn leave(&self, room: &RoomId, user: &MatrixUserId) -> Result<()>;

    /// Returns all rooms that the user has joined, including those of other services.
    async fn rooms_of(&self, user: &MatrixUserId) -> Result<Vec<RoomId>>;

    /// Returns the rooms into which a user is currently invited, each with its inviter.
    async fn invitations(&self, user: &MatrixUserId) -> Result<Vec<(RoomId, MatrixUserId)>>;

    /// Makes the bot a member of the room. If nobody has invited it yet, `member` invites it.
    async fn enter(&self, room: &RoomId, member: &MatrixUserId) -> Result<()>;

    /// Makes the bot leave a room that it entered only to send a notice. Repeating it is no error.
    async fn leave_as_bot(&self, room: &RoomId) -> Result<()>;
}
