//! The port of stored facts about a room beside its key: marks, replaced rooms, and corrections.

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{HubUserId, RoomId, TenantId},
    room::{Access, Former, Marks, RoomKey},
};

/// Stored facts about rooms beside their keys.
#[async_trait]
pub trait RoomRecords: Send + Sync {
    /// Returns the access of a member to a room; `None` if the user is no member.
    async fn access(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<Option<Access>>;

    /// Returns the marks of a room; `None` if the room is not registered.
    async fn marks(&self, room: &RoomId) -> Result<Option<Marks>>;

    /// Adds marks to a room. No mark is ever removed.
    async fn mark(&self, room: &RoomId, marks: Marks) -> Result<()>;

    /// Returns the room that replaced this one; `None` if it was not replaced.
    async fn former(&self, room: &RoomId) -> Result<Option<Former>>;

    /// Returns the room that this one replaced directly; `None` if it replaced none.
    async fn predecessor(&self, room: &RoomId) -> Result<Option<RoomId>>;

    /// Replaces a room by its successor, in one transaction.
    ///
    /// The new room takes over the key and the message count of the old one, and those of its members that
    /// `members` names. A live event tells every member of the old room that they left it, and every named
    /// one that they joined the new room. Returns `false`, and changes nothing, if the old room is not
    /// registered (any more).
    async fn succeed(
        &self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        members: &[HubUserId],
        marks: Marks,
    ) -> Result<bool>;

    /// Returns at most `limit` rooms whose power levels are still to be corrected.
    async fn uncorrected(&self, limit: i64) -> Result<Vec<(RoomKey, RoomId)>>;

    /// Stores that the power levels of a room are correct, or cannot be changed.
    async fn corrected(&self, room: &RoomId) -> Result<()>;

    /// Returns whether the notice was sent that messages of this unregistered room do not reach all members.
    async fn is_warned(&self, room: &RoomId) -> Result<bool>;

    /// Stores that the notice was sent. Repeating it changes nothing.
    async fn warned(&self, room: &RoomId) -> Result<()>;
}
