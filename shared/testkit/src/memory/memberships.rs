//! Memberships in memory.

use std::collections::BTreeSet;

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::{Audience, Kind, NewEvent, Payload},
    id::{HubUserId, RoomId, TenantId},
    port::Memberships,
};
use serde_json::json;

use super::{Memory, State};

pub(super) type Table = BTreeSet<(TenantId, HubUserId, RoomId)>;

#[async_trait]
impl Memberships for Memory {
    async fn add(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.act("adding a member", |state| {
            state.add_member(tenant, room, user);
        })
        .await
    }

    async fn remove(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<()> {
        self.act("removing a member", |state| {
            state.remove_member(tenant, room, user);
        })
        .await
    }

    async fn of(&self, tenant: TenantId, user: &HubUserId) -> Result<Vec<RoomId>> {
        self.act("reading memberships", |state| {
            state
                .members
                .iter()
                .filter(|(t, u, _)| *t == tenant && u == user)
                .map(|one| one.2.clone())
                .collect()
        })
        .await
    }
}

impl State {
    pub(super) fn add_member(&mut self, tenant: TenantId, room: &RoomId, user: &HubUserId) {
        // Who is no user of the tenant is never a member there.
        if self.user(tenant, user).is_some() && self.members.insert((tenant, user.clone(), room.clone())) {
            self.tell_member(Kind::RoomJoined, tenant, room, user);
        }
    }

    pub(super) fn remove_member(&mut self, tenant: TenantId, room: &RoomId, user: &HubUserId) {
        if self.members.remove(&(tenant, user.clone(), room.clone())) {
            self.tell_member(Kind::RoomLeft, tenant, room, user);
        }
    }

    fn tell_member(&mut self, kind: Kind, tenant: TenantId, room: &RoomId, user: &HubUserId) {
        let audience = Audience::User(tenant, user.clone());
        let payload = Payload::stored(json!({ "room_id": room }).to_string());
        self.log.append(self.now, None, &NewEvent { audience, kind, payload, key: None });
    }
}
