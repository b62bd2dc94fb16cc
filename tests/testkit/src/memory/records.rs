//! Marks of rooms, and rooms that were replaced, in memory.

use std::collections::{BTreeSet, HashMap};

use super::{Memory, State, rooms::Stored};
use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{EventId, HubUserId, RoomId, TenantId},
    port::RoomMarks,
    room::{Former, Marks, RoomKind},
};

#[derive(Default)]
pub(super) struct Table {
    pub(super) former: HashMap<RoomId, Replaced>,
    warned: BTreeSet<RoomId>,
}

impl Table {
    /// Returns the successor of a room; the room itself if it was not replaced.
    pub(super) fn current<'r>(&'r self, room: &'r RoomId) -> &'r RoomId {
        self.former.get(room).map_or(room, |replaced| &replaced.former.current)
    }
}

/// A room that was replaced.
pub(super) struct Replaced {
    pub(super) tenant: TenantId,
    pub(super) former: Former,
    /// The room that replaced it directly.
    by: RoomId,
}

#[async_trait]
impl RoomMarks for Memory {
    async fn marks(&self, room: &RoomId) -> Result<Option<Marks>> {
        self.act("reading the marks of a room", |state| state.marks(room)).await
    }

    async fn mark(&self, room: &RoomId, marks: Marks) -> Result<()> {
        self.act("marking a room", |state| {
            if let Some(known) = state.marks_mut(room) {
                *known = known.and(marks);
            }
        })
        .await
    }

    async fn is_warned(&self, room: &RoomId) -> Result<bool> {
        self.act("reading whether a warning was sent", |state| state.records.warned.contains(room)).await
    }

    async fn warned(&self, room: &RoomId) -> Result<()> {
        self.act("storing that a warning was sent", |state| {
            state.records.warned.insert(room.clone());
        })
        .await
    }
}

impl State {
    pub(super) fn marks(&self, room: &RoomId) -> Option<Marks> {
        self.rooms.values().find_map(|stored| match stored {
            Stored::Registered(registered) if registered.id == *room => Some(registered.profile.marks),
            _ => None,
        })
    }

    fn marks_mut(&mut self, room: &RoomId) -> Option<&mut Marks> {
        self.rooms.values_mut().find_map(|stored| match stored {
            Stored::Registered(registered) if registered.id == *room => Some(&mut registered.profile.marks),
            _ => None,
        })
    }

    pub(super) fn predecessor(&self, room: &RoomId) -> Option<RoomId> {
        self.records.former.iter().find(|(_, replaced)| replaced.by == *room).map(|(old, _)| old.clone())
    }

    /// Returns whether a member of an event's room, or of its successor, may see the event.
    pub(super) fn may_see(&self, tenant: TenantId, user: &HubUserId, room: &RoomId, event: &EventId) -> bool {
        let former = self.records.former.get(room).map(|replaced| &replaced.former);
        let current = former.map_or(room, |former| &former.current);
        let Some((_, joined)) = self.arrivals.get(&(tenant, user.clone(), current.clone())) else {
            return false;
        };
        let is_restricted = former.is_some_and(|former| former.is_history_restricted)
            || self.marks(current).is_some_and(|marks| marks.is_history_restricted);
        !is_restricted || self.conversation.arrived.get(event).is_some_and(|arrived| arrived > joined)
    }

    pub(super) fn succeed(
        &mut self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        members: &[HubUserId],
        marks: Marks,
    ) -> bool {
        let Some((key, registered)) = self.registered(tenant, old) else { return false };
        let is_adopted = matches!(&key.kind, RoomKind::Custom { id } if id.starts_with('!'));
        let is_history_restricted = registered.profile.marks.is_history_restricted || is_adopted;
        let key = key.clone();
        self.rooms.retain(|_, stored| stored.room() != Some(new));
        self.members.retain(|(_, _, room), _| room != new);
        self.arrivals.retain(|(_, _, room), _| room != new);
        for replaced in self.records.former.values_mut().filter(|replaced| replaced.former.current == *old) {
            replaced.former.current = new.clone();
        }
        let former = Former { current: new.clone(), is_history_restricted };
        self.records.former.insert(old.clone(), Replaced { tenant, former, by: new.clone() });
        let muted: BTreeSet<_> =
            self.muted.iter().filter(|(_, _, room)| room == old).map(|(_, user, _)| user.clone()).collect();
        let before = self.members.iter().filter(|((_, _, room), _)| room == old);
        let before: Vec<_> = before.map(|((_, user, _), read)| (user.clone(), *read)).collect();
        let joined: Vec<_> = before
            .iter()
            .map(|(user, _)| {
                self.arrivals.get(&(tenant, user.clone(), old.clone())).map_or(0, |(_, joined)| *joined)
            })
            .collect();
        for (user, _) in &before {
            self.remove_member(tenant, old, user);
        }
        if let Some(Stored::Registered(registered)) = self.rooms.get_mut(&key) {
            registered.id = new.clone();
            registered.profile.marks = registered.profile.marks.and(marks);
        }
        if let Some(summary) = self.conversation.summaries.remove(old) {
            self.conversation.summaries.insert(new.clone(), summary);
        }
        for user in members {
            self.add_member(tenant, new, user);
            let member = (tenant, user.clone(), new.clone());
            if muted.contains(user) {
                self.muted.insert(member.clone());
            }
            let Some(at) = before.iter().position(|(known, _)| known == user) else { continue };
            if let (Some(read), Some(arrival)) =
                (self.members.get_mut(&member), self.arrivals.get_mut(&member))
            {
                *read = before[at].1;
                arrival.1 = joined[at];
            }
        }
        true
    }
}
