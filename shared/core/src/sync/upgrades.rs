//! Rooms that are replaced by another (Matrix specification, "Room upgrades"): the successor takes the place of the old
//! room, under the same key and with its members, so that it is listed once. What was said in the old room stays readable
//! behind what is said in the new one.
//!
//! Conduit tells of the tombstone before the successor has a member, so that is waited for. Should it take longer, the
//! first event of the successor brings it here again, when the room is to be adopted.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    app::{room_registry::RoomRegistry, user_directory::UserDirectory},
    domain::{
        error::{Error, Failure, Result},
        id::{HubUserId, MatrixUserId, RoomId, TenantId},
        matrix_ids::MatrixIds,
        room::RoomKind,
        room_event::RoomEvent,
        user::User,
    },
    port::{self, Ports, RoomSummary},
    sync::backfill::Backfill,
};

/// How often the successor is looked at until the upgrader is in it, and the pauses between.
const TRIES: u32 = 20;

const PAUSE: Duration = Duration::from_millis(100);

/// Puts the successor of a room in its place.
pub struct Upgrades {
    rooms: Arc<dyn port::Rooms>,
    room_records: Arc<dyn port::RoomRecords>,
    room_state: Arc<dyn port::RoomState>,
    room_views: Arc<dyn port::RoomViews>,
    timeline: Arc<dyn port::Timeline>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    homeserver: Arc<dyn port::Homeserver>,
    registry: Arc<RoomRegistry>,
    directory: Arc<UserDirectory>,
    backfill: Arc<Backfill>,
    ids: Arc<MatrixIds>,
}

impl Upgrades {
    pub(crate) fn new(
        ports: &Ports,
        registry: &Arc<RoomRegistry>,
        directory: &Arc<UserDirectory>,
        backfill: &Arc<Backfill>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            rooms: ports.rooms.clone(),
            room_records: ports.room_records.clone(),
            room_state: ports.room_state.clone(),
            room_views: ports.room_views.clone(),
            timeline: ports.timeline.clone(),
            membership_calls: ports.membership_calls.clone(),
            homeserver: ports.homeserver.clone(),
            registry: registry.clone(),
            directory: directory.clone(),
            backfill: backfill.clone(),
            ids: ids.clone(),
        }
    }

    /// A room of ours was replaced by somebody. Changes nothing if it is taken over already.
    pub(crate) async fn follow(
        &self,
        tenant: TenantId,
        old: &RoomId,
        upgrader: &MatrixUserId,
    ) -> Result<Vec<RoomEvent>> {
        if self.room_records.former(old).await?.is_some() {
            return Ok(Vec::new());
        }
        let Some(new) = self.room_state.successor(old).await? else { return Ok(Vec::new()) };
        for _ in 0..TRIES {
            match self.timeline.summary(&new, upgrader).await {
                Ok(summary) if summary.has_joined(upgrader) => {
                    return self.take_over(tenant, old, &new, upgrader, &summary).await;
                }
                Ok(_) => {}
                Err(error) if is_refusal(&error) => {}
                Err(error) => return Err(error),
            }
            sleep(PAUSE).await;
        }
        tracing::info!(room = %old, successor = %new, "the successor of a room cannot be entered yet");
        Ok(Vec::new())
    }

    /// Returns the room of ours that this one replaces, if both say so: anybody can claim it of a room of their own.
    pub(crate) async fn replaced_by(
        &self,
        tenant: TenantId,
        new: &RoomId,
        summary: &RoomSummary,
    ) -> Result<Option<RoomId>> {
        let Some(old) = &summary.predecessor else { return Ok(None) };
        if self.rooms.tenant_of(old).await? != Some(tenant) || self.room_records.former(old).await?.is_some()
        {
            return Ok(None);
        }
        let successor = self.room_state.successor(old).await?;
        Ok((successor.as_ref() == Some(new)).then(|| old.clone()))
    }

    /// Lets the successor take the place of the old room. `host` is in the successor.
    pub(crate) async fn take_over(
        &self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        host: &MatrixUserId,
        summary: &RoomSummary,
    ) -> Result<Vec<RoomEvent>> {
        if summary.predecessor.as_ref() != Some(old) {
            tracing::info!(room = %old, successor = %new, "a successor that does not name the room it replaces");
            return Ok(Vec::new());
        }
        if *host != self.ids.bot() {
            self.timeline.enter(new, host).await?;
        }
        let former = self.room_views.members(tenant, old).await?;
        let mut members = Vec::new();
        for user in &former {
            if summary.has_joined(&self.ids.of(user)) || self.bring_over(new, host, user).await? {
                members.push(user.id().clone());
            }
        }
        let people = self.directory.people(summary.people.iter().map(|person| &person.id)).await?;
        let joined = summary.people.iter().filter(|person| person.is_joined);
        let others =
            joined.filter_map(|person| people.get(&person.id)).filter(|user| user.tenant() == tenant);
        members.extend(
            others.map(|user| user.id().clone()).filter(|id| former.iter().all(|user| user.id() != id)),
        );
        self.show_successor(tenant, old, new, &former).await?;
        if self.room_records.succeed(tenant, old, new, &members, summary.marks).await? {
            tracing::info!(room = %old, successor = %new, %tenant, members = members.len(), "took over an upgraded room");
            self.remember_successor(tenant, new, members.first()).await?;
        }
        self.backfill.recent(new).await
    }

    /// Brings a member of the old room into the new one. Returns `false` if the homeserver does not allow it.
    async fn bring_over(&self, new: &RoomId, host: &MatrixUserId, user: &User) -> Result<bool> {
        let id = self.ids.of(user);
        let brought = match self.membership_calls.accept(new, &id).await {
            Ok(true) => Ok(()),
            Ok(false) => self.homeserver.join_by(new, host, &id).await,
            Err(error) => Err(error),
        };
        match brought {
            Err(error) if is_refusal(&error) => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(room = %new, user = %user.id(), error, "a member does not follow into the successor");
                Ok(false)
            }
            result => result.map(|()| true),
        }
    }

    /// A direct chat stays one in other Matrix clients.
    async fn show_successor(
        &self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        former: &[User],
    ) -> Result<()> {
        let [one, other] = former else { return Ok(()) };
        let access = self.room_views.access(tenant, one.id(), old).await?;
        if access.is_some_and(|access| matches!(access.key.kind, RoomKind::Dm(_))) {
            let (one, other) = (self.ids.of(one), self.ids.of(other));
            self.membership_calls.show_as_direct(new, &one, &other).await?;
            self.membership_calls.show_as_direct(new, &other, &one).await?;
        }
        Ok(())
    }

    /// Other processes look the room of its key up again soon.
    async fn remember_successor(
        &self,
        tenant: TenantId,
        new: &RoomId,
        member: Option<&HubUserId>,
    ) -> Result<()> {
        let Some(member) = member else { return Ok(()) };
        if let Some(access) = self.room_views.access(tenant, member, new).await? {
            self.registry.note_successor(access.key, new);
        }
        Ok(())
    }
}

fn is_refusal(error: &Error) -> bool {
    error.failure() == Some(Failure::Rejected)
}
