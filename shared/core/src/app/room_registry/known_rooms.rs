//! The rooms that this process has looked up, and those that are known to be closed.

use std::time::Duration;

use crate::{
    domain::{
        id::{RoomId, TenantId},
        room::RoomKey,
    },
    live::cache::Cache,
    port::ClosedRoomWatcher,
};

/// The time for which a cached room of a key is used. Another process may replace the room.
const ROOM_KNOWN_FOR: Duration = Duration::from_secs(10);

/// The cached rooms of keys, and the tenants of rooms. A closed room is in neither.
pub(super) struct KnownRooms {
    room_ids: Cache<RoomKey, RoomId>,
    tenants: Cache<RoomId, TenantId>,
    /// The rooms that are known to be closed.
    closed: Cache<RoomId, ()>,
    /// The rooms whose messages are encrypted.
    encrypted: Cache<RoomId, ()>,
}

impl KnownRooms {
    pub(super) fn new() -> Self {
        Self {
            room_ids: Cache::with_ttl(ROOM_KNOWN_FOR),
            tenants: Cache::without_ttl(),
            closed: Cache::without_ttl(),
            encrypted: Cache::with_ttl(ROOM_KNOWN_FOR),
        }
    }

    /// Returns the cached room of a key. It may have been cached just after it was closed.
    pub(super) fn room(&self, key: &RoomKey) -> Option<RoomId> {
        self.room_ids.get(key).filter(|room| !self.is_closed(room))
    }

    pub(super) fn set_room(&self, key: RoomKey, room: RoomId) {
        self.room_ids.put(key, room);
    }

    pub(super) fn remove_room(&self, key: &RoomKey) {
        self.room_ids.remove(key);
    }

    pub(super) fn tenant(&self, room: &RoomId) -> Option<TenantId> {
        self.tenants.get(room)
    }

    pub(super) fn set_tenant(&self, room: RoomId, tenant: TenantId) {
        self.tenants.put(room, tenant);
    }

    pub(super) fn is_encrypted(&self, room: &RoomId) -> bool {
        self.encrypted.get(room).is_some()
    }

    pub(super) fn set_encrypted(&self, room: RoomId) {
        self.encrypted.put(room, ());
    }

    /// Returns whether a room is known to be closed.
    pub(super) fn is_closed(&self, room: &RoomId) -> bool {
        self.closed.get(room).is_some()
    }
}

impl ClosedRoomWatcher for KnownRooms {
    fn closed(&self, room: &RoomId) {
        self.closed.put(room.clone(), ());
        self.room_ids.remove_if(|known| known == room);
        self.tenants.remove(room);
    }
}
