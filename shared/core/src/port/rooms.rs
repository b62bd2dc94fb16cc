//! The ports of rooms as users see them: the room directory, pending leaves, and membership calls to the
//! homeserver.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
    lease::Lease,
    room::{Listed, Room, RoomKey, Search},
    user::{Role, User},
};

/// A user's access to a room of their tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomAccess {
    /// The key of the room.
    pub key: RoomKey,
    /// Whether the user is a member.
    pub is_member: bool,
    /// The user's role.
    pub role: Role,
}

/// The result of marking a room as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Whether there were unread messages.
    pub changed: bool,
    /// The last message of the room; `None` if it is unknown.
    pub last: Option<EventId>,
}

/// A receipt: a user has read a room up to one of these events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadUpTo {
    /// The room.
    pub room: RoomId,
    /// The localpart of the user's account.
    pub localpart: String,
    /// The candidates. The latest one that is a known message counts.
    pub events: Vec<EventId>,
}

/// The room directory: rooms as their members see them. Each method is one statement, for any number of
/// rooms.
#[async_trait]
pub trait RoomViews: Send + Sync {
    /// Returns the rooms of a user, most recent activity first.
    async fn rooms(&self, tenant: TenantId, user: &HubUserId) -> Result<Vec<Room>>;

    /// Returns one room of a user; `None` if the user is no member.
    async fn room(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<Room>>;

    /// Returns the entity and service rooms of a tenant that match the search, by name.
    async fn directory(&self, tenant: TenantId, user: &HubUserId, search: &Search) -> Result<Vec<Listed>>;

    /// Returns the access of a user to a room; `None` if the tenant has no such room or (any more) no such
    /// user.
    async fn access(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<RoomAccess>>;

    /// Returns the members of a room, by name.
    async fn members(&self, tenant: TenantId, room: &RoomId) -> Result<Vec<User>>;

    /// Returns the users of a tenant who have one of these ids or one of these Matrix localparts.
    async fn people(&self, tenant: TenantId, ids: &[HubUserId], localparts: &[String]) -> Result<Vec<User>>;

    /// Marks the whole room as read. If there were unread messages, a live event reports it to the user's
    /// devices. Returns `None` if the user is no member.
    async fn read(&self, tenant: TenantId, user: &HubUserId, room: &RoomId) -> Result<Option<Read>>;

    /// Applies receipts: moves read positions forward, never backward, with a live event for each change.
    ///
    /// The last fifty messages of a room are known by their id. Returns the indices of receipts that name no
    /// known message, if their user is a member with unread messages. Receipts of other users and of
    /// unregistered rooms change nothing.
    async fn read_up_to(&self, receipts: &[ReadUpTo]) -> Result<Vec<usize>>;
}

/// A pending leave: a membership that has ended here, and still has to end on the homeserver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingLeave {
    /// The user.
    pub user: HubUserId,
    /// The localpart of the user's Matrix account.
    pub localpart: String,
    /// The room.
    pub room: RoomId,
}

/// The queue of pending leaves.
#[async_trait]
pub trait PendingLeaves: Send + Sync {
    /// Removes the user from the room, as [`Memberships::remove`](super::Memberships::remove) does, and adds
    /// the pending leave, in one transaction. Repeating it changes nothing.
    async fn leave(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// Deletes the pending leave, because the user joins the room again.
    async fn cancel(&self, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// Claims at most `limit` due pending leaves. No other claim returns them until the lease ends.
    async fn claim(&self, lease: Duration, limit: i64) -> Result<Vec<PendingLeave>>;

    /// Deletes a completed leave. It is lost if it was cancelled meanwhile.
    async fn done(&self, pending_leave: &PendingLeave) -> Result<Lease<()>>;

    /// Ends the lease after a failure. The leave is due again after a delay that grows with each failure.
    async fn postpone(&self, pending_leave: &PendingLeave) -> Result<()>;
}

/// Calls to the homeserver as a user: memberships, receipts and typing notifications.
#[async_trait]
pub trait MembershipCalls: Send + Sync {
    /// Leaves the room. Succeeds as well if the user is not in it.
    async fn leave(&self, room: &RoomId, user: &MatrixUserId) -> Result<()>;

    /// Accepts the current invitation to the room. Returns `false`, and changes nothing, if the user has
    /// joined already or is not invited (any more).
    async fn accept(&self, room: &RoomId, user: &MatrixUserId) -> Result<bool>;

    /// Adds the room to the user's direct chats with this partner (`m.direct`), and keeps existing entries. A
    /// refusal by the homeserver is no error, because the chat works without it.
    async fn show_as_direct(&self, room: &RoomId, user: &MatrixUserId, partner: &MatrixUserId) -> Result<()>;

    /// Returns all rooms that the user has joined, including those of other services.
    async fn rooms_of(&self, user: &MatrixUserId) -> Result<Vec<RoomId>>;

    /// Sends a private read receipt for this event (`m.read.private`), which only the user's own devices see.
    async fn mark_read(&self, room: &RoomId, user: &MatrixUserId, event: &EventId) -> Result<()>;

    /// Starts the typing notification of the user, who must be in the room, for the given time; `None` stops
    /// it.
    async fn set_typing(&self, room: &RoomId, user: &MatrixUserId, lasting: Option<Duration>) -> Result<()>;
}
