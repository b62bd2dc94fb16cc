//! The ports of rooms as people use them: the list, who is in them, and who is still to leave them.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
    room::{Listed, Room, RoomKey, Search},
    user::{Role, User},
};

/// A room, to somebody of its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomAccess {
    /// Which room it is.
    pub key: RoomKey,
    /// Whether they are a member.
    pub is_member: bool,
    /// Their role.
    pub role: Role,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Whether something was unread.
    pub changed: bool,
    /// The last message of the room, if it is known.
    pub last: Option<EventId>,
}

/// A receipt: a user has read a room up to one of these events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadUpTo {
    /// The room.
    pub room: RoomId,
    /// The localpart of the user's account.
    pub localpart: String,
    /// The latest of these that is a known message counts.
    pub events: Vec<EventId>,
}

/// Rooms as their members see them. Each method is one statement, whatever the number of rooms.
#[async_trait]
pub trait RoomViews: Send + Sync {
    /// The rooms that a user is in, most recent activity first.
    async fn rooms(&self, tenant: TenantId, user: &HubUserId) -> Result<Vec<Room>>;

    /// One of them; `None` if the user is no member.
    async fn room(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<Room>>;

    /// The entity and service rooms of a tenant, by name.
    async fn directory(&self, tenant: TenantId, user: &HubUserId, search: &Search) -> Result<Vec<Listed>>;

    /// Returns the room as this user may see it; `None` if the tenant has no such room, or the user is of another tenant by
    /// now.
    async fn access(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<RoomAccess>>;

    /// The members of a room, by name.
    async fn members(&self, tenant: TenantId, room: &RoomId) -> Result<Vec<User>>;

    /// Those users of a tenant who have one of these ids or one of these Matrix localparts.
    async fn people(&self, tenant: TenantId, ids: &[HubUserId], localparts: &[String]) -> Result<Vec<User>>;

    /// The user has read everything in the room, and their other devices are told if that is new. `None` if the user is
    /// no member.
    async fn read(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<Read>>;

    /// Moves read positions forward, never back, and tells the users' devices of each change. Messages are known by their
    /// id while they are among the last fifty of their room. Returns the indices of receipts that name no known message,
    /// of members who have something unread; receipts of others and of rooms that are not ours change nothing.
    async fn read_up_to(&self, receipts: &[ReadUpTo]) -> Result<Vec<usize>>;
}

/// Somebody who is to leave a room on the homeserver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingLeave {
    /// Who.
    pub user: HubUserId,
    /// The localpart of their account.
    pub localpart: String,
    /// From where.
    pub room: RoomId,
}

/// Who is out of a room here, and is still to leave it on the homeserver.
#[async_trait]
pub trait PendingLeaves: Send + Sync {
    /// Takes the user out of the room, as [`Memberships::remove`](super::Memberships::remove) does, and makes their
    /// leaving on the homeserver due. Again is no other change.
    async fn depart(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// They are not to leave any more: they are coming back.
    async fn cancel(&self, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// Claims those who are due. Nobody else gets them for the time of the lease.
    async fn claim(&self, lease: Duration, limit: i64) -> Result<Vec<PendingLeave>>;

    /// They have left. `false`: it was cancelled meanwhile.
    async fn done(&self, pending_leave: &PendingLeave) -> Result<bool>;

    /// They could not leave; it is due again after a delay that grows with each failure.
    async fn postpone(&self, pending_leave: &PendingLeave) -> Result<()>;
}

/// What people do in rooms, on the homeserver, in their own name.
#[async_trait]
pub trait MembershipCalls: Send + Sync {
    /// The user is out of the room, or never was in it.
    async fn leave(&self, room: &RoomId, user: &MatrixUserId) -> Result<()>;

    /// Who is invited into the room at this moment comes in. `false`: they are in it already, or nobody invites them (any
    /// more), and nothing has changed.
    async fn accept(&self, room: &RoomId, user: &MatrixUserId) -> Result<bool>;

    /// The user's clients show the room as a direct chat with this partner. What stands there already stays. That the
    /// homeserver refuses it is no error: the chat works without.
    async fn show_as_direct(&self, room: &RoomId, user: &MatrixUserId, partner: &MatrixUserId) -> Result<()>;

    /// The rooms that the user is in, of whoever made them.
    async fn rooms_of(&self, user: &MatrixUserId) -> Result<Vec<RoomId>>;

    /// The user has read everything up to this event; only their own devices are told.
    async fn mark_read(&self, room: &RoomId, user: &MatrixUserId, event: &EventId) -> Result<()>;

    /// The user, who must be in the room, types for so long unless it is said again; `None`: does not any more.
    async fn set_typing(&self, room: &RoomId, user: &MatrixUserId, lasting: Option<Duration>) -> Result<()>;
}
