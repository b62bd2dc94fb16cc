//! Lists and closes the rooms of a tenant for its administrators.

use std::{sync::Arc, time::Duration};

use crate::{
    app::{closures::Closures, room_registry::RoomRegistry},
    domain::{
        admin::{Administrator, Closure, RoomMembership, RoomQuery, TenantRoom},
        error::{Error, Result},
        id::RoomId,
    },
    port::{self, AdminPorts},
};

/// The time for which an administrator waits until the homeserver has closed a room, too.
const PATIENCE: Duration = Duration::from_secs(5);

/// The result of closing a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosingResult {
    /// Whether the room was closed by this call; `false` if it was closed before.
    pub is_new: bool,
    /// Whether the homeserver has closed it as well; otherwise a worker does it.
    pub is_complete: bool,
}

/// The engine for the rooms of a tenant.
pub struct TenantRooms {
    rooms: Arc<dyn port::AdminRooms>,
    registry: Arc<RoomRegistry>,
    closures: Arc<Closures>,
}

impl TenantRooms {
    pub(crate) fn new(ports: &AdminPorts, registry: &Arc<RoomRegistry>, closures: &Arc<Closures>) -> Self {
        Self { rooms: ports.rooms.clone(), registry: registry.clone(), closures: closures.clone() }
    }

    /// Returns rooms of the administered tenant, newest first.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn list(&self, administrator: &Administrator, query: &RoomQuery) -> Result<Vec<TenantRoom>> {
        self.rooms.rooms(administrator.tenant, query).await
    }

    /// Returns the members of a room by name.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant, %room))]
    pub async fn members(&self, administrator: &Administrator, room: &RoomId) -> Result<Vec<RoomMembership>> {
        self.rooms.members(administrator.tenant, room).await?.ok_or(Error::NotFound("room"))
    }

    /// Closes a room: here at once, on the homeserver now or by a worker. The key of the room gets another room
    /// as soon as it is needed.
    ///
    /// # Errors
    /// `room_is_general` for the room of everybody, and `room_upgraded` for a room that was replaced.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant, %room))]
    pub async fn close(&self, administrator: &Administrator, room: &RoomId) -> Result<ClosingResult> {
        let closure = self.rooms.close(administrator, room).await?.ok_or(Error::NotFound("room"))?;
        let is_new = match closure {
            Closure::Closed => true,
            Closure::AlreadyClosed => false,
            Closure::General => return Err(is_general()),
            Closure::Replaced(successor) => return Err(Error::Upgraded { successor: Some(successor) }),
        };
        self.registry.note_closed(room);
        if is_new {
            tracing::info!(%room, tenant = %administrator.tenant, actor = %administrator.actor, "room closed");
        }
        Ok(ClosingResult { is_new, is_complete: self.closures.close_in_time(room, PATIENCE).await? })
    }
}

fn is_general() -> Error {
    Error::Conflict {
        code: "room_is_general",
        detail: "this is the room of everybody in the tenant, which is not closed".into(),
        retry_after: None,
    }
}
