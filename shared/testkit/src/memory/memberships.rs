//! Memberships in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::{Audience, Kind, NewEvent, Payload},
    id::{HubUserId, RoomId, TenantId},
    port::{Listener, Memberships},
    room::Room,
};
use serde_json::{Value, json};

use super::{Memory, State};

/// Who is where, and how many messages of the room they have read.
pub(super) type Table = BTreeMap<(TenantId, HubUserId, RoomId), i64>;

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
            let members = state.members.keys().filter(|(t, u, _)| *t == tenant && u == user);
            Some(Listener { role, rooms: members.map(|one| one.2.clone()).collect() })
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
        self.members.insert(member, said);
        let seen = self.seen(tenant, user, room);
        self.tell_coming(Kind::RoomJoined, tenant, user, room, seen.as_ref());
    }

    pub(super) fn remove_member(&mut self, tenant: TenantId, room: &RoomId, user: &HubUserId) {
        let seen = self.seen(tenant, user, room);
        if self.members.remove(&(tenant, user.clone(), room.clone())).is_some() {
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
