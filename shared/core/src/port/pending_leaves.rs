//! The port of pending leaves.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{HubUserId, RoomId, TenantId},
    lease::Lease,
};

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
