//! The port of the room directory: the read views of rooms.

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{EventId, HubUserId, RoomId, TenantId},
    room::{Access, Listed, Room, RoomKey, Search},
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

    /// Returns what a member may do in a room, and which room it replaced; `None` if the user is no member.
    async fn member_access(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        room: &RoomId,
    ) -> Result<Option<Access>>;

    /// Returns the members of a room, by name.
    async fn members(&self, tenant: TenantId, room: &RoomId) -> Result<Vec<User>>;

    /// Returns those of these users who are members of a room.
    async fn members_among(&self, tenant: TenantId, room: &RoomId, ids: &[HubUserId]) -> Result<Vec<User>>;

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
