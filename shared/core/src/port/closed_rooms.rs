//! The port of closed rooms.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::domain::{admin::ClosedRoom, error::Result, id::RoomId, lease::Lease, room::RoomKey};

/// The rooms that administrators closed, and the queue of those that the homeserver still has to close.
#[async_trait]
pub trait ClosedRooms: Send + Sync {
    /// Returns whether a room was closed.
    async fn is_closed(&self, room: &RoomId) -> Result<bool>;

    /// Claims at most `limit` due rooms. No other claim returns them until the lease ends.
    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<ClosedRoom>>;

    /// Claims one room, whenever it is due. Returns `None` if the homeserver has closed it, and a lost lease if
    /// another process has claimed it.
    async fn claim(&self, room: &RoomId, lease: Duration) -> Result<Option<Lease<ClosedRoom>>>;

    /// Claims a room that had this key and may still have its alias, in the same way.
    async fn claim_with_alias(&self, key: &RoomKey, lease: Duration) -> Result<Option<Lease<ClosedRoom>>>;

    /// Stores that the alias of a claimed room is free. The lease continues.
    async fn alias_freed(&self, room: &RoomId) -> Result<()>;

    /// Stores that the homeserver has closed a room.
    async fn done(&self, room: &RoomId) -> Result<()>;

    /// Ends the lease. The room is due at once.
    async fn release(&self, room: &RoomId) -> Result<()>;

    /// Ends the lease after a failure. The room is due again after a delay that grows with each failure.
    async fn postpone(&self, room: &RoomId) -> Result<()>;

    /// Registers a watcher of the rooms that any process closes. It is dropped with its last `Arc`.
    fn watch(&self, watcher: Arc<dyn ClosedRoomWatcher>);
}

/// A receiver of closed rooms. A single one may be lost.
pub trait ClosedRoomWatcher: Send + Sync {
    /// Reports that a room was closed.
    fn closed(&self, room: &RoomId);
}
