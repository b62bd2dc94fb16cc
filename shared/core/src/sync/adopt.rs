//! Adoption: a room that was created with another Matrix client becomes a room of this service at its first
//! event.
//!
//! The bot joins the room, and the room belongs to the tenant of the member who let the bot in. A direct chat
//! of two users becomes *the* direct chat of these two unless they have one already. A room that this service
//! was creating when its process ended is adopted, too: the homeserver has it, the database does not.
//!
//! Not adopted are: rooms without a second member; encrypted rooms, which the service cannot read
//! (`encryption.rs`); spaces, which hold rooms and no messages; rooms with a successor; rooms that the bot is
//! creating at this moment; closed rooms. The successor of a known room takes its place (`upgrades.rs`).
//!
//! # Why a push waits for the adoption
//! The homeserver waits for the answer to a push while the service asks it about the room, once for each
//! room. The events behind this one wait, too. If a worker adopted later, those events would enter the event
//! log before the room's history, or would have to be held back room by room, and the first event of the room
//! would be acknowledged before anything stores it. An event that is not acknowledged is pushed again, in
//! order, after any number of failures, so nothing about the room has to be stored before the adoption is
//! complete. One transaction stores the room with its members. If the process ends right after it, only the
//! earlier events are missing from the event log; the room's history has them.

mod profile;

use std::{sync::Arc, time::Duration};

use crate::{
    app::user_directory::UserDirectory,
    domain::{
        error::{Failure, Result},
        id::{MatrixUserId, RoomId, TenantId},
        matrix_ids::MatrixIds,
        room::{Pair, Profile, RoomKey, RoomKind},
        room_event::{Content, RoomEvent},
        user::User,
    },
    live::cache::Cache,
    port::{self, Ports, RoomSummary},
    sync::{
        backfill::Backfill,
        encryption::Encryption,
        invitations::Invitations,
        quarantine::{RoomFailures, Subject},
        upgrades::Upgrades,
    },
};

/// Upper limit of the time in which the service creates a room, failures included.
const CREATION_MAX: Duration = Duration::from_mins(5);
/// Time for which a room that cannot be adopted is not tried again.
const ADOPTION_REJECTED_FOR: Duration = Duration::from_mins(1);

/// An adopted room.
#[derive(Debug)]
pub(crate) struct Adoption {
    /// The tenant that the room belongs to.
    pub(crate) tenant: TenantId,
    /// The events from before the adoption that are still to be ingested, oldest first.
    pub(crate) backlog: Vec<RoomEvent>,
}

/// The engine that adopts rooms.
pub struct Adopt {
    rooms: Arc<dyn port::Rooms>,
    closed_rooms: Arc<dyn port::ClosedRooms>,
    room_administration: Arc<dyn port::RoomAdministration>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    accounts: Arc<dyn port::Accounts>,
    clock: Arc<dyn port::Clock>,
    directory: Arc<UserDirectory>,
    encryption: Arc<Encryption>,
    upgrades: Arc<Upgrades>,
    invitations: Arc<Invitations>,
    backfill: Arc<Backfill>,
    failures: Arc<RoomFailures>,
    ids: Arc<MatrixIds>,
    /// Rooms that could not be adopted within the last [`ADOPTION_REJECTED_FOR`].
    adoption_rejected: Cache<RoomId, ()>,
}

/// The engines that [`Adopt`] is made of.
pub(crate) struct Parts<'p> {
    pub(crate) directory: &'p Arc<UserDirectory>,
    pub(crate) encryption: &'p Arc<Encryption>,
    pub(crate) upgrades: &'p Arc<Upgrades>,
    pub(crate) invitations: &'p Arc<Invitations>,
    pub(crate) backfill: &'p Arc<Backfill>,
    pub(crate) failures: &'p Arc<RoomFailures>,
}

impl Adopt {
    pub(crate) fn new(ports: &Ports, engines: &Parts<'_>, ids: &Arc<MatrixIds>) -> Self {
        Self {
            rooms: ports.rooms.clone(),
            closed_rooms: ports.closed_rooms.clone(),
            room_administration: ports.room_administration.clone(),
            membership_calls: ports.membership_calls.clone(),
            accounts: ports.accounts.clone(),
            clock: ports.clock.clone(),
            directory: engines.directory.clone(),
            encryption: engines.encryption.clone(),
            upgrades: engines.upgrades.clone(),
            invitations: engines.invitations.clone(),
            backfill: engines.backfill.clone(),
            failures: engines.failures.clone(),
            ids: ids.clone(),
            adoption_rejected: Cache::with_ttl(ADOPTION_REJECTED_FOR),
        }
    }

    /// Adopts the unknown room of an event. Returns `None` if the room is not adopted.
    pub(crate) async fn adopt(&self, event: &RoomEvent) -> Result<Option<Adoption>> {
        if matches!(event.content, Content::Left(_)) || event.sender == self.ids.bot() {
            return Ok(None);
        }
        self.adopt_from(&event.room_id, &event.sender).await
    }

    /// Adopts a room with the help of a member, who invites the bot. Returns `None` if it is not adopted.
    pub(crate) async fn adopt_from(&self, room: &RoomId, member: &MatrixUserId) -> Result<Option<Adoption>> {
        if self.adoption_rejected.get(room).is_some() {
            return Ok(None);
        }
        let people = self.directory.people([member].into_iter()).await?;
        let Some(host) = people.get(member) else { return Ok(None) };
        if self.closed_rooms.is_closed(room).await? {
            self.adoption_rejected.put(room.clone(), ());
            return Ok(None);
        }
        let adopted = match self.try_to_adopt(room, host).await {
            // The member may not read the room, or may not invite the bot: that will not change soon.
            Err(error) if error.failure() == Some(Failure::Rejected) => {
                tracing::info!(%room, error = &error as &dyn std::error::Error, "room cannot be adopted");
                self.adoption_rejected.put(room.clone(), ());
                Ok(None)
            }
            adopted => adopted,
        };
        let adopted = self.failures.tolerate(room, Subject::Adoption, adopted)?;
        if adopted.is_none() {
            self.adoption_rejected.put(room.clone(), ());
        }
        Ok(adopted.flatten())
    }

    async fn try_to_adopt(&self, room: &RoomId, host: &User) -> Result<Option<Adoption>> {
        let tenant = host.tenant();
        let summary = self.room_administration.summary(room, &self.ids.of(host)).await?;
        if let Some(old) = self.upgrades.replaced_by(tenant, room, &summary).await? {
            let backlog = self.upgrades.take_over(tenant, &old, room, &self.ids.of(host), &summary).await?;
            return Ok(Some(Adoption { tenant, backlog }));
        }
        let others = summary.people.iter().any(|person| person.id != self.ids.of(host));
        let key = self.key_by_alias(&summary);
        let is_made_here = summary.made_by == self.ids.bot();
        if summary.marks.is_encrypted && !summary.is_space && !summary.is_upgraded {
            self.encryption.warn(tenant, room, host, &summary).await?;
            if others {
                self.adoption_rejected.put(room.clone(), ());
            }
            return Ok(None);
        }
        let has_no_messages = summary.is_space || summary.is_upgraded;
        if has_no_messages || (is_made_here && key.as_ref().is_none_or(|key| key.tenant != tenant)) {
            self.adoption_rejected.put(room.clone(), ());
            return Ok(None);
        }
        if !others {
            return Ok(None);
        }
        self.membership_calls.enter(room, &self.ids.of(host)).await?;
        let people = self.directory.people(summary.people.iter().map(|person| &person.id)).await?;
        let mut users = Vec::new();
        for person in &summary.people {
            let Some(user) = people.get(&person.id).filter(|user| user.tenant() == tenant) else { continue };
            // An invited user of this service joins at once.
            if person.is_joined
                || self.invitations.accept(room, &person.id).await?
                || self.invitations.is_in(room, &person.id).await?
            {
                users.push(user);
            }
        }
        let backlog = self.backfill.recent(room).await?;
        let profile = self.profile(&summary, &people, &users);
        match key {
            Some(key) => self.rooms.register(&key, room, &profile).await.map(drop)?,
            None => self.register_adopted(tenant, room, &summary, &users, &profile).await?,
        }
        tracing::info!(%room, %tenant, is_made_here, "room adopted");
        Ok(Some(Adoption { tenant, backlog }))
    }

    /// Returns the key of a room that the bot created, by its alias. Returns `None` while a process may still
    /// be creating the room.
    fn key_by_alias(&self, summary: &RoomSummary) -> Option<RoomKey> {
        let is_finished = summary.made_at < self.clock.now() - CREATION_MAX;
        let alias = summary.alias.as_ref().filter(|_| is_finished && summary.made_by == self.ids.bot())?;
        let (localpart, server) = alias.strip_prefix('#')?.split_once(':')?;
        RoomKey::of_alias(localpart).filter(|_| server == self.ids.server_name())
    }

    /// Registers an adopted room: as the direct chat of two users if it is one, otherwise as a room of its
    /// own.
    async fn register_adopted(
        &self,
        tenant: TenantId,
        room: &RoomId,
        summary: &RoomSummary,
        users: &[&User],
        profile: &Profile,
    ) -> Result<()> {
        let member_count = summary.people.iter().filter(|person| person.id != self.ids.bot()).count();
        if let [one, other] = users
            && summary.is_direct
            && member_count == users.len()
            && let Some(pair) = Pair::of(one.id(), other.id())
        {
            // These calls come before the first write: if one fails, the whole adoption is repeated.
            let (one, other) = (self.ids.of(one), self.ids.of(other));
            self.accounts.show_as_direct(room, &one, &other).await?;
            self.accounts.show_as_direct(room, &other, &one).await?;
            let key = RoomKey { tenant, kind: RoomKind::Dm(pair) };
            // Each user sees a direct chat under the name of the other one.
            let profile = Profile { name: None, ..profile.clone() };
            if self.rooms.register(&key, room, &profile).await? == *room {
                return Ok(());
            }
        }
        let key = RoomKey { tenant, kind: RoomKind::Custom { id: room.as_str().to_owned() } };
        self.rooms.register(&key, room, profile).await.map(drop)
    }
}
