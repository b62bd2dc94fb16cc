//! Rooms in memory.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    id::{HubUserId, RoomId, TenantId},
    port::Rooms,
    room::{Claim, Former, Marks, Profile, RoomKey},
};

use super::{Memory, State};

pub(super) type Table = HashMap<RoomKey, Stored>;

pub(super) enum Stored {
    /// A process creates it until this time.
    Claimed(Timestamp),
    /// It exists.
    Registered(Registered),
}

/// A room that exists.
pub(super) struct Registered {
    pub(super) id: RoomId,
    pub(super) profile: Profile,
    pub(super) activity: u64,
}

impl Stored {
    pub(super) fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Registered(room) => Some(&room.id),
            Self::Claimed(_) => None,
        }
    }
}

#[async_trait]
impl Rooms for Memory {
    async fn find(&self, key: &RoomKey) -> Result<Option<(RoomId, Marks)>> {
        self.act("finding a room", |state| match state.rooms.get(key) {
            Some(Stored::Registered(room)) => Some((room.id.clone(), room.profile.marks)),
            _ => None,
        })
        .await
    }

    async fn claim(&self, key: &RoomKey, lease: Duration) -> Result<Claim> {
        self.act("claiming a room", |state| match state.rooms.get(key) {
            Some(Stored::Registered(room)) => Claim::Registered(room.id.clone()),
            Some(Stored::Claimed(until)) if *until > state.now => Claim::Held,
            _ => {
                state.rooms.insert(key.clone(), Stored::Claimed(state.now + lease));
                Claim::Yours
            }
        })
        .await
    }

    async fn unclaim(&self, key: &RoomKey) -> Result<()> {
        self.act("releasing a room's claim", |state| {
            if let Some(Stored::Claimed(_)) = state.rooms.get(key) {
                state.rooms.remove(key);
            }
        })
        .await
    }

    async fn register(&self, key: &RoomKey, room: &RoomId, profile: &Profile) -> Result<RoomId> {
        self.act("storing a room", |state| {
            if let Some(first) = state.rooms.get(key).and_then(Stored::room) {
                return first.clone();
            }
            let has_room = |stored: &Stored| stored.room() == Some(room);
            if state.rooms.iter().any(|(other, stored)| other.tenant == key.tenant && has_room(stored)) {
                state.rooms.remove(key);
                return room.clone();
            }
            let activity = state.conversation.next_arrival();
            let registered = Registered { id: room.clone(), profile: profile.clone(), activity };
            state.rooms.insert(key.clone(), Stored::Registered(registered));
            for member in &profile.members {
                state.add_member(key.tenant, room, member);
            }
            room.clone()
        })
        .await
    }

    async fn tenant_of(&self, room: &RoomId) -> Result<Option<TenantId>> {
        self.act("finding a room's tenant", |state| {
            let stored = state.rooms.iter().find(|(_, stored)| stored.room() == Some(room));
            stored.map(|(key, _)| key.tenant).or_else(|| Some(state.records.former.get(room)?.tenant))
        })
        .await
    }

    async fn known(&self, rooms: &[RoomId]) -> Result<Vec<RoomId>> {
        self.act("looking for rooms", |state| {
            let ours = state.rooms.values().filter_map(Stored::room).chain(state.records.former.keys());
            ours.filter(|room| rooms.contains(room)).cloned().collect()
        })
        .await
    }

    async fn former(&self, room: &RoomId) -> Result<Option<Former>> {
        self.act("looking for a replaced room", |state| {
            state.records.former.get(room).map(|replaced| replaced.former.clone())
        })
        .await
    }

    async fn predecessor(&self, room: &RoomId) -> Result<Option<RoomId>> {
        self.act("looking for a replaced room", |state| state.predecessor(room)).await
    }

    async fn succeed(
        &self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        members: &[HubUserId],
        marks: Marks,
    ) -> Result<bool> {
        self.act("replacing a room", |state| state.succeed(tenant, old, new, members, marks)).await
    }
}

impl State {
    /// Returns a room of a tenant by its id, with its key.
    pub(super) fn registered(&self, tenant: TenantId, room: &RoomId) -> Option<(&RoomKey, &Registered)> {
        self.rooms.iter().find_map(|(key, stored)| match stored {
            Stored::Registered(registered) if key.tenant == tenant && registered.id == *room => {
                Some((key, registered))
            }
            _ => None,
        })
    }
}
