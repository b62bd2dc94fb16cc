//! Memberships in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::{Audience, Kind, NewEvent, Payload},
    id::{HubUserId, Position, RoomId, TenantId},
    port::{Listener, Memberships},
    room::Room,
};
use serde_json::{Value, json};

use super::{Memory, State};

/// Who is where, and how many messages of the room they have read.
pub(super) type Table = BTreeMap<(TenantId, HubUserId, RoomId), i64>;

/// When who came where: the last position of the log before it, and the count of arrivals.
pub(super) type Arrivals = BTreeMap<(TenantId, HubUserId, RoomId), (Position, u64)>;

#[async_trait]
impl Memberships for Memory {
    async fn add(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.act("adding a member", |state| state.add_member(tenant, room, user)).await
    }

    async fn remove(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.act("removing a member", |state| state.remove_member(tenant, room, user)).await
    }

    async fn listener(&self, tenant: TenantId, user: &HubUserId) -> Result<Option<Listener>> {
        self.act("reading memberships", |state| {
            let role = state.user(tenant, user)?.identity.role;
            let mine = state.arrivals.iter().filter(|((t, u, _), _)| *t == tenant && u == user);
            let rooms = mine.map(|((_, _, room), (since, _))| (room.clone(), *since)).collect();
            Some(Listener { role, rooms })
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
            // A user who moved meanwhile leaves the room on the homeserver, too.
            if self.users.contains_key(user) {
                self.depart(tenant, room, user);
            }
            return;
        }
        let said = self.said(room);
        self.arrived += 1;
        self.arrivals.insert(member.clone(), (Position(self.log.head()), self.arrived));
        self.members.insert(member, said);
        let seen = self.seen(tenant, user, room);
        self.tell_coming(Kind::RoomJoined, tenant, user, room, seen.as_ref());
    }

    pub(super) fn remove_member(&mut self, tenant: TenantId, room: &RoomId, user: &HubUserId) {
        let seen = self.seen(tenant, user, room);
        let member = (tenant, user.clone(), room.clone());
        self.arrivals.remove(&member);
        if self.members.remove(&member).is_some() {
            self.tell_coming(Kind::RoomLeft, tenant, user, room, seen.as_ref());
        }
    }

    /// A later redaction finds the last message that is told here.
    fn tell_coming(
        &mut self,
        kind: Kind,
        tenant: TenantId,
        user: &HubUserId,
        room: &RoomId,
        seen: Option<&Room>,
    ) {
        let audience = Audience::User(tenant, user.clone());
        let payload = Payload::stored(json!({ "room_id": room, "room": seen }).to_string());
        let about = self.conversation.summaries.get(room).and_then(|summary| summary.last_event.clone());
        let new = NewEvent { audience, kind, payload, key: None };
        self.log.append_about(self.now, &new, about, false);
    }

    pub(super) fn tell_member(&mut self, kind: Kind, tenant: TenantId, user: &HubUserId, fields: &Value) {
        let audience = Audience::User(tenant, user.clone());
        let payload = Payload::stored(fields.to_string());
        self.log.append(self.now, None, &NewEvent { audience, kind, payload, key: None });
    }
}
