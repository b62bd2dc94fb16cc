//! Closed rooms in memory: there are none, since only PostgreSQL has the ports of administration.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    Result,
    admin::ClosedRoom,
    id::RoomId,
    lease::Lease,
    port::{ClosedRoomWatcher, ClosedRooms},
    room::RoomKey,
};

use super::Memory;

#[async_trait]
impl ClosedRooms for Memory {
    async fn is_closed(&self, _room: &RoomId) -> Result<bool> {
        Ok(false)
    }

    async fn claim_due(&self, _lease: Duration, _limit: i64) -> Result<Vec<ClosedRoom>> {
        Ok(Vec::new())
    }

    async fn claim(&self, _room: &RoomId, _lease: Duration) -> Result<Option<Lease<ClosedRoom>>> {
        Ok(None)
    }

    async fn claim_with_alias(&self, _key: &RoomKey, _lease: Duration) -> Result<Option<Lease<ClosedRoom>>> {
        Ok(None)
    }

    async fn alias_freed(&self, _room: &RoomId) -> Result<()> {
        Ok(())
    }

    async fn done(&self, _room: &RoomId) -> Result<()> {
        Ok(())
    }

    async fn release(&self, _room: &RoomId) -> Result<()> {
        Ok(())
    }

    async fn postpone(&self, _room: &RoomId) -> Result<()> {
        Ok(())
    }

    fn watch(&self, _watcher: Arc<dyn ClosedRoomWatcher>) {}
}
