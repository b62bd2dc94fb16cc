//! Room upgrades (Matrix specification, "Room upgrades"): the successor takes the place of the old room,
//! under the same key and with its members, so that it is listed once. The history of the old room stays
//! readable behind that of the new one.
//!
//! Conduit sends the tombstone before the successor has a member, so the service waits for that member. If it
//! takes longer, the first event of the successor, which starts an adoption, completes the upgrade.

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

/// Number of attempts to read the successor until the upgrading user has joined it.
const TRIES: u32 = 20;

/// Pause between two of these attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// The engine that replaces upgraded rooms by their successors.
pub struct Upgrades {
    rooms: Arc<dyn port::Rooms>,
    closed_rooms: Arc<dyn port::ClosedRooms>,
    room_views: Arc<dyn port::RoomViews>,
    room_administration: Arc<dyn port::RoomAdministration>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    accounts: Arc<dyn port::Accounts>,
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
            closed_rooms: ports.closed_rooms.clone(),
            room_views: ports.room_views.clone(),
            room_administration: ports.room_administration.clone(),
            membership_calls: ports.membership_calls.clone(),
            accounts: ports.accounts.clone(),
            registry: registry.clone(),
            directory: directory.clone(),
            backfill: backfill.clone(),
            ids: ids.clone(),
        }
    }

    /// Replaces a known room that was upgraded by this user. Returns the earlier events of the successor;
    /// none if the room was replaced already, if the successor cannot be read yet, or if one of both was closed.
    pub(crate) async fn replace(
        &self,
        tenant: TenantId,
        old: &RoomId,
        upgrader: &MatrixUserId,
    ) -> Result<Vec<RoomEvent>> {
        if self.rooms.former(old).await?.is_some() {
            return Ok(Vec::new());
        }
        let Some(new) = self.room_administration.successor(old).await? else { return Ok(Vec::new()) };
        if self.closed_rooms.is_closed(old).await? || self.closed_rooms.is_closed(&new).await? {
            return Ok(Vec::new());
        }
        for _ in 0..TRIES {
            match self.room_administration.summary(&new, upgrader).await {
                Ok(summary) if summary.has_joined(upgrader) => {
                    return self.take_over(tenant, old, &new, upgrader, &summary).await;
                }
                Ok(_) => {}
                Err(error) if is_rejection(&error) => {}
                Err(error) => return Err(error),
            }
            sleep(PAUSE).await;
        }
        tracing::info!(room = %old, successor = %new, "successor of a room cannot be entered yet");
        Ok(Vec::new())
    }

    /// Returns the known room that this one replaces. Both rooms have to name each other, since anybody can
    /// name any room as the predecessor of their own.
    pub(crate) async fn replaced_by(
        &self,
        tenant: TenantId,
        new: &RoomId,
        summary: &RoomSummary,
    ) -> Result<Option<RoomId>> {
        let Some(old) = &summary.predecessor else { return Ok(None) };
        if self.rooms.tenant_of(old).await? != Some(tenant) || self.rooms.former(old).await?.is_some() {
            return Ok(None);
        }
        let successor = self.room_administration.successor(old).await?;
        Ok((successor.as_ref() == Some(new)).then(|| old.clone()))
    }

    /// Puts the successor in the place of the old room. Returns the earlier events of the successor. `host`
    /// is a member of it.
    pub(crate) async fn take_over(
        &self,
        tenant: TenantId,
        old: &RoomId,
        new: &RoomId,
        host: &MatrixUserId,
        summary: &RoomSummary,
    ) -> Result<Vec<RoomEvent>> {
        if summary.predecessor.as_ref() != Some(old) {
            tracing::info!(room = %old, successor = %new, "successor does not name its predecessor; upgrade ignored");
            return Ok(Vec::new());
        }
        if *host != self.ids.bot() {
            self.membership_calls.enter(new, host).await?;
        }
        let former = self.room_views.members(tenant, old).await?;
        let mut members = Vec::new();
        for user in &former {
            if summary.has_joined(&self.ids.of(user)) || self.move_member(new, host, user).await? {
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
        self.mark_as_direct(tenant, old, new, &former).await?;
        if self.rooms.succeed(tenant, old, new, &members, summary.marks).await? {
            tracing::info!(room = %old, successor = %new, %tenant, members = members.len(), "upgraded room replaced by its successor");
            self.note_successor(tenant, new, members.first()).await?;
        }
        self.backfill.recent(new).await
    }

    /// Lets a member of the old room join the new one. Returns `false` if the homeserver does not allow it.
    async fn move_member(&self, new: &RoomId, host: &MatrixUserId, user: &User) -> Result<bool> {
        let id = self.ids.of(user);
        let joined = match self.membership_calls.accept(new, &id).await {
            Ok(true) => Ok(()),
            Ok(false) => self.membership_calls.join_by(new, host, &id).await,
            Err(error) => Err(error),
        };
        match joined {
            Err(error) if is_rejection(&error) => {
                let error: &dyn std::error::Error = &error;
                tracing::info!(room = %new, user = %user.id(), error, "member of an upgraded room cannot join the successor");
                Ok(false)
            }
            result => result.map(|()| true),
        }
    }

    /// Marks the successor of a direct chat as a direct chat, for other Matrix clients.
    async fn mark_as_direct(
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
            self.accounts.show_as_direct(new, &one, &other).await?;
            self.accounts.show_as_direct(new, &other, &one).await?;
        }
        Ok(())
    }

    /// Updates the room registry of this process. Other processes read the room of a key again soon.
    async fn note_successor(&self, tenant: TenantId, new: &RoomId, member: Option<&HubUserId>) -> Result<()> {
        let Some(member) = member else { return Ok(()) };
        if let Some(access) = self.room_views.access(tenant, member, new).await? {
            self.registry.note_successor(access.key, new);
        }
        Ok(())
    }
}

fn is_rejection(error: &Error) -> bool {
    error.failure() == Some(Failure::Rejected)
}
