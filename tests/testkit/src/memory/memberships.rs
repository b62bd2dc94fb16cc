//! Memberships in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::{
        Audience, Kind, NewEvent,
        payload::{self, EventPayload, Membership, RoomLeft, RoomMuted},
    },
    id::{HubUserId, Position, RoomId, TenantId},
    port::{Memberships, ReaderRights},
    room::Room,
};

use super::{Memory, State};

/// Each member's number of read messages in the room.
pub(super) type Table = BTreeMap<(TenantId, HubUserId, RoomId), i64>;

/// The last position of the log and the count of arrivals before each join.
pub(super) type Arrivals = BTreeMap<(TenantId, HubUserId, RoomId), (Position, u64)>;

#[async_trait]
impl Memberships for Memory {
    async fn add(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.act("adding a member", |state| state.add_member(tenant, room, user)).await
    }

    async fn remove(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.act("removing a member", |state| state.remove_member(tenant, room, user)).await
    }

    async fn is_member(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<bool> {
        self.act("looking for a member", |state| {
            state.members.contains_key(&(tenant, user.clone(), room.clone()))
        })
        .await
    }

    async fn set_muted(
        &self,
        tenant: TenantId,
        room: &RoomId,
        user: &HubUserId,
        muted: bool,
    ) -> Result<bool> {
        self.act("muting a room", |state| {
            let member = (tenant, user.clone(), room.clone());
            if !state.members.contains_key(&member) {
                return false;
            }
            let is_changed = if muted { state.muted.insert(member) } else { state.muted.remove(&member) };
            if is_changed {
                let payload = EventPayload::RoomMuted(RoomMuted { room_id: room, muted });
                state.publish_to_user(tenant, user, &payload);
            }
            true
        })
        .await
    }

    async fn reader_rights(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<ReaderRights>> {
        self.act("reading memberships", |state| {
            let known = state.user(tenant, user)?;
            let (role, logged_out_at) = (known.identity.role, known.logged_out_at);
            let mine = state.arrivals.iter().filter(|((t, u, _), _)| *t == tenant && u == user);
            let rooms: Vec<_> = mine.map(|((_, _, room), (since, _))| (room.clone(), *since)).collect();
            Some(ReaderRights { role, logged_out_at, since: ReaderRights::last_join(&rooms), rooms })
        })
        .await
    }
}

impl State {
    pub(super) fn add_member(&mut self, tenant: TenantId, room: &RoomId, user: &HubUserId) {
        let member = (tenant, user.clone(), room.clone());
        if self.members.contains_key(&member) {
            return;
        }
        if self.user(tenant, user).is_none() {
            // A user who has moved to another tenant must leave the room on the homeserver, too.
            if self.users.contains_key(user) {
                self.leave(tenant, room, user);
            }
            return;
        }
        let count = self.message_count(room);
        self.arrived += 1;
        self.arrivals.insert(member.clone(), (Position(self.log.head()), self.arrived));
        self.members.insert(member, count);
        let view = self.view(tenant, user, room);
        self.publish_membership(Kind::RoomJoined, tenant, user, room, view.as_ref());
    }

    pub(super) fn remove_member(&mut self, tenant: TenantId, room: &RoomId, user: &HubUserId) {
        let view = self.view(tenant, user, room);
        let member = (tenant, user.clone(), room.clone());
        self.arrivals.remove(&member);
        self.muted.remove(&member);
        if self.members.remove(&member).is_some() {
            self.publish_membership(Kind::RoomLeft, tenant, user, room, view.as_ref());
        }
    }

    /// Publishes that a user has joined or left. The event names the last message, which a later redaction
    /// may empty.
    fn publish_membership(
        &mut self,
        kind: Kind,
        tenant: TenantId,
        user: &HubUserId,
        room: &RoomId,
        view: Option<&Room>,
    ) {
        let audience = Audience::User(tenant, user.clone());
        let seen = view.map(payload::Room::from);
        let payload = match kind {
            Kind::RoomLeft => EventPayload::RoomLeft(RoomLeft { room_id: room, room: seen, reason: None }),
            _ => EventPayload::RoomJoined(Membership { room_id: room, room: seen }),
        };
        let payload = payload.serialise().expect("the fields are an object");
        let about = self.conversation.summaries.get(room).and_then(|summary| summary.last_event.clone());
        let new = NewEvent { audience, kind, room: Some(room.clone()), payload, key: None };
        self.log.append_about(self.now, &new, about, false);
    }

    pub(super) fn publish_to_user(&mut self, tenant: TenantId, user: &HubUserId, payload: &EventPayload<'_>) {
        let audience = Audience::User(tenant, user.clone());
        let room = match payload {
            EventPayload::Unread(unread) => Some(unread.room_id.clone()),
            EventPayload::RoomMuted(muted) => Some(muted.room_id.clone()),
            _ => None,
        };
        let (kind, payload) = (payload.kind(), payload.serialise().expect("the fields are an object"));
        self.log.append(self.now, &NewEvent { audience, kind, room, payload, key: None });
    }
}
