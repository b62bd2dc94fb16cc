//! The port of the rooms of a tenant, for its administrators.

use async_trait::async_trait;

use crate::domain::{
    admin::{Administrator, Closure, RoomMembership, RoomQuery, TenantRoom},
    error::Result,
    id::{RoomId, TenantId},
};

/// The rooms of a tenant, as its administrators see and change them. Each method is one statement.
#[async_trait]
pub trait AdminRooms: Send + Sync {
    /// Returns rooms of a tenant, newest first.
    async fn rooms(&self, tenant: TenantId, query: &RoomQuery) -> Result<Vec<TenantRoom>>;

    /// Returns the members of a room by name; `None` if the tenant has no such room.
    async fn members(&self, tenant: TenantId, room: &RoomId) -> Result<Option<Vec<RoomMembership>>>;

    /// Closes a room of the administered tenant; `None` if the tenant has no such room.
    ///
    /// Ends all memberships, each with its live event and a pending leave, deletes what is stored of its
    /// messages, frees its key, and makes the homeserver's part due ([`ClosedRooms`](crate::port::ClosedRooms)).
    async fn close(&self, administrator: &Administrator, room: &RoomId) -> Result<Option<Closure>>;
}
