//! The port of what is stored about a room beside its key: marks, and the rooms that it replaced.

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{HubUserId, RoomId, TenantId},
    room::{Access, Former, Marks, RoomKey},
};

/// What is stored about rooms beside their keys.
#[async_trait]
pub trait RoomRecords: Send + Sync {
    /// Returns what a member of a room needs to read and write in it; `None` if the user is no member.
    async fn access(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<Option<Access>>;

    /// Returns the marks of a room; `None` if it is none of ours.
    async fn marks(&self, room: &RoomId) -> Result<Option<Marks>>;

    /// Adds marks to a room: none is ever taken away.
    async fn mark(&self, room: &RoomId, marks: Marks) -> Result<()>;

    /// Returns what replaced a room; `None` if nothing did.
    async fn former(&self, room: &RoomId) -> Result<Option<Former>>;

    /// Returns the room that this one replaced directly.
    async fn predecessor(&self, room: &RoomId) -> Result<Option<RoomId>>;

    /// Lets one room take the place of another in one act: its key, its count of messages and its members, as far as they
    /// are named. All members are told that they left the one, and the named ones that they joined the other. Returns
    /// `false`, and changes nothing, if the old room is none of ours (any more).
    async fn succeed(
        &self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        members: &[HubUserId],
        marks: Marks,
    ) -> Result<bool>;

    /// Returns rooms whose power levels are still to be corrected.
    async fn uncorrected(&self, limit: i64) -> Result<Vec<(RoomKey, RoomId)>>;

    /// The power levels of a room are as they should be, or cannot be changed.
    async fn corrected(&self, room: &RoomId) -> Result<()>;

    /// Whether it was said in this room, which is none of ours, that messages of it do not reach everybody.
    async fn is_warned(&self, room: &RoomId) -> Result<bool>;

    /// It was said.
    async fn warned(&self, room: &RoomId) -> Result<()>;
}
