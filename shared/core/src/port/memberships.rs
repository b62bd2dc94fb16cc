//! The port of the stored memberships.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    error::Result,
    id::{HubUserId, Position, RoomId, TenantId},
    user::Role,
};

/// The rights of a user that decide which events a stream or poll returns, read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderRights {
    /// The user's role.
    pub role: Role,
    /// The time until which tokens of this service are void; `None` if the user was never logged out.
    pub logged_out_at: Option<Timestamp>,
    /// The rooms of the user, each with the last position of the event log before the user joined.
    pub rooms: Vec<(RoomId, Position)>,
    /// The position of the event log that a reader must have reached before these rights serve for live
    /// events: earlier ones may be of a room that the user joined later.
    pub since: Position,
}

impl ReaderRights {
    /// Returns the position of the last join: the `since` of rights that are read from the store.
    pub fn last_join(rooms: &[(RoomId, Position)]) -> Position {
        rooms.iter().map(|(_, before)| *before).max().unwrap_or_default()
    }
}

/// The memberships of users in rooms. A change and its live event are stored in one transaction, so streams
/// see membership changes in the order of the event log.
#[async_trait]
pub trait Memberships: Send + Sync {
    /// Adds the user to the room. Repeating it changes nothing.
    ///
    /// A user who has moved to another tenant is not added. Their leave on the homeserver becomes pending.
    async fn add(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// Removes the user from the room. Repeating it changes nothing.
    async fn remove(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()>;

    /// Returns whether the user is a member of the room in this tenant.
    async fn is_member(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<bool>;

    /// Switches the sounds of a room off or on for a member. A live event reports a change to the user's
    /// devices. Returns `false` if the user is no member. The end of the membership ends it.
    async fn set_muted(&self, tenant: TenantId, room: &RoomId, user: &HubUserId, muted: bool)
    -> Result<bool>;

    /// Returns the role and the rooms of a user; `None` if the tenant has no such user.
    async fn reader_rights(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<ReaderRights>>;

    /// Returns the rooms of a user; none if the tenant has no such user.
    async fn of(&self, tenant: TenantId, user: &HubUserId) -> Result<Vec<RoomId>> {
        let rooms = self.reader_rights(tenant, user).await?.map(|rights| rights.rooms).unwrap_or_default();
        Ok(rooms.into_iter().map(|(room, _)| room).collect())
    }
}
