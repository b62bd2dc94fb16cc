//! The port of the identities of rooms.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{HubUserId, RoomId, TenantId},
    room::{Claim, Former, Marks, Profile, RoomKey},
};

/// The identities of rooms: the mapping from room keys to Matrix rooms, also after room upgrades.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// Returns the room of a key with its marks; `None` if the room is not registered.
    async fn find(&self, key: &RoomKey) -> Result<Option<(RoomId, Marks)>>;

    /// Claims the right to create the room of a key, until the lease ends.
    async fn claim(&self, key: &RoomKey, lease: Duration) -> Result<Claim>;

    /// Releases the claim after room creation failed.
    async fn unclaim(&self, key: &RoomKey) -> Result<()>;

    /// Stores the room of a key with its profile and first members, and returns the registered room.
    ///
    /// Members are added as by [`Memberships::add`](super::Memberships::add), in the same transaction. If the
    /// key already has a room, that room is returned and nothing is stored. Nor is a room that another key of the
    /// tenant has got meanwhile, as by an upgrade: it is returned, and a claim of this key ends.
    ///
    /// # Errors
    /// Returns a transient error, and stores nothing, if an administrator has closed the room.
    async fn register(&self, key: &RoomKey, room: &RoomId, profile: &Profile) -> Result<RoomId>;

    /// Returns the tenant of a room; `None` if the room is not registered.
    async fn tenant_of(&self, room: &RoomId) -> Result<Option<TenantId>>;

    /// Returns those of the rooms that are registered or were closed, in any tenant.
    async fn known(&self, rooms: &[RoomId]) -> Result<Vec<RoomId>>;

    /// Returns the room that replaced this one; `None` if it was not replaced.
    async fn former(&self, room: &RoomId) -> Result<Option<Former>>;

    /// Returns the room that this one replaced directly; `None` if it replaced none.
    async fn predecessor(&self, room: &RoomId) -> Result<Option<RoomId>>;

    /// Replaces a room by its successor, in one transaction.
    ///
    /// The new room takes over the key and the message count of the old one, and those of its members that
    /// `members` names. A live event tells every member of the old room that they left it, and every named
    /// one that they joined the new room. Returns `false`, and changes nothing, if the old room is not
    /// registered (any more), or if the new one was closed.
    async fn succeed(
        &self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        members: &[HubUserId],
        marks: Marks,
    ) -> Result<bool>;
}
