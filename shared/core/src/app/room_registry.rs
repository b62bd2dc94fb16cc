//! Finds and creates the room of a key, exactly once under any number of concurrent calls.

mod known_rooms;

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    app::{accounts::Accounts, closures::Closures, room_registry::known_rooms::KnownRooms},
    domain::{
        error::{Error, Failure, Result},
        id::{RoomId, TenantId},
        matrix_ids::MatrixIds,
        room::{CLOSED, Claim, NewRoom, Profile, RoomKey, account_refused, room_closed},
        settings::MessengerSettings,
        user::User,
    },
    live::{
        cache::Cache,
        follow_ups::{FollowUp, FollowUps},
    },
    port::{self, ClosedRoomWatcher as _, Ports},
};

/// The engine that finds and creates rooms by key, and joins users to them.
pub struct RoomRegistry {
    rooms: Arc<dyn port::Rooms>,
    room_administration: Arc<dyn port::RoomAdministration>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    memberships: Arc<dyn port::Memberships>,
    pending_leaves: Arc<dyn port::PendingLeaves>,
    accounts: Arc<Accounts>,
    closures: Arc<Closures>,
    ids: Arc<MatrixIds>,
    settings: Arc<MessengerSettings>,
    follow_ups: FollowUps,
    known: Arc<KnownRooms>,
    /// Runs when the first room is cached: from then on this process watches for closed rooms.
    watch: Once,
    /// The keys that had no room a moment ago.
    absent: Cache<RoomKey, ()>,
}

/// The time for which a process assumes that a room does not exist yet.
const ABSENT_FOR: Duration = Duration::from_secs(1);

/// The time that a process may take to create a room before another one may try.
const CREATION_LEASE: Duration = Duration::from_secs(20);

/// The interval at which a call checks whether another process has created the room.
const CREATION_POLL: Duration = Duration::from_millis(50);

impl RoomRegistry {
    pub(crate) fn new(
        ports: &Ports,
        accounts: &Arc<Accounts>,
        closures: &Arc<Closures>,
        ids: &Arc<MatrixIds>,
        settings: &Arc<MessengerSettings>,
        follow_ups: &FollowUps,
    ) -> Self {
        Self {
            rooms: ports.rooms.clone(),
            room_administration: ports.room_administration.clone(),
            membership_calls: ports.membership_calls.clone(),
            memberships: ports.memberships.clone(),
            pending_leaves: ports.pending_leaves.clone(),
            accounts: accounts.clone(),
            closures: closures.clone(),
            ids: ids.clone(),
            settings: settings.clone(),
            follow_ups: follow_ups.clone(),
            known: Arc::new(KnownRooms::new()),
            watch: Once::new(),
            absent: Cache::with_ttl(ABSENT_FOR),
        }
    }

    /// Returns the room of a key, or `None` if it does not exist yet. Costs no I/O while cached.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %key.tenant))]
    pub async fn find(&self, key: &RoomKey) -> Result<Option<RoomId>> {
        if let Some(room) = self.known.room(key) {
            return Ok(Some(room));
        }
        let Some((room, marks)) = self.rooms.find(key).await? else { return Ok(None) };
        self.remember(key.clone(), &room);
        if marks.is_encrypted {
            self.known.set_encrypted(room.clone());
        }
        Ok(Some(room))
    }

    /// Returns the room of a key for an event that may go without a room id.
    ///
    /// Caches the absence of a room for [`ABSENT_FOR`], since otherwise each call of a burst would query it. A room that another process creates meanwhile is missing from the events of this time.
    pub(crate) async fn find_for_event(&self, key: &RoomKey) -> Result<Option<RoomId>> {
        if let Some(room) = self.known.room(key) {
            return Ok(Some(room));
        }
        if self.absent.get(key).is_some() {
            return Ok(None);
        }
        let room = self.find(key).await?;
        if room.is_none() {
            self.absent.put(key.clone(), ());
        }
        Ok(room)
    }

    /// Returns the room of a key, and creates it if it does not exist, exactly once under concurrent calls.
    pub(crate) async fn find_or_create(&self, key: &RoomKey) -> Result<RoomId> {
        if let Some(room) = self.find(key).await? {
            return Ok(room);
        }
        let deadline = Instant::now() + CREATION_LEASE;
        loop {
            match self.rooms.claim(key, CREATION_LEASE).await? {
                Claim::Registered(room) => {
                    self.remember(key.clone(), &room);
                    return Ok(room);
                }
                Claim::Yours => {
                    let room = match self.create(key).await {
                        Ok(room) => room,
                        Err(error) => {
                            self.rooms.unclaim(key).await?;
                            return Err(error);
                        }
                    };
                    self.remember(key.clone(), &room);
                    return Ok(room);
                }
                Claim::Held if Instant::now() < deadline => tokio::time::sleep(CREATION_POLL).await,
                Claim::Held => {
                    return Err(Error::internal(
                        "waiting for a room to be created",
                        "another process holds the claim",
                    ));
                }
            }
        }
    }

    /// Joins a user to a room, on the homeserver and in the table of members.
    ///
    /// If another process has just replaced the room, the user joins its successor. A closed room does not
    /// exist.
    pub(crate) async fn join(&self, key: &RoomKey, room: &RoomId, user: &User) -> Result<()> {
        if self.has_closed(room).await? {
            return Err(Error::NotFound("room"));
        }
        let replaced = self.rooms.former(room).await?;
        if replaced.is_some() {
            self.known.remove_room(key);
        }
        let room = replaced.as_ref().map_or(room, |former| &former.current);
        self.pending_leaves.cancel(room, user.id()).await?;
        self.membership_calls.join(room, &self.ids.of(user)).await?;
        self.memberships.add(key.tenant, room, user.id()).await
    }

    /// Joins a user to a room in the name of a member, who must have the right to invite.
    pub(crate) async fn join_by(
        &self,
        tenant: TenantId,
        room: &RoomId,
        member: &User,
        user: &User,
    ) -> Result<()> {
        self.membership_calls.join_by(room, &self.ids.of(member), &self.ids.of(user)).await?;
        self.memberships.add(tenant, room, user.id()).await
    }

    /// Ensures that the recipient of a direct message is a member of its room.
    ///
    /// A recipient who left the room with another client joins it again; otherwise the message would reach
    /// nobody.
    ///
    /// # Errors
    /// Fails if the room was closed: then it has no members.
    pub(crate) async fn ensure_member(&self, room: &RoomId, user: &User) -> Result<()> {
        if !self.memberships.is_member(user.tenant(), room, user.id()).await? {
            if self.has_closed(room).await? {
                return Err(room_closed());
            }
            self.membership_calls.join(room, &self.ids.of(user)).await?;
            self.memberships.add(user.tenant(), room, user.id()).await?;
        }
        Ok(())
    }

    /// Discards a new room that one of its members could not join.
    pub(crate) async fn discard(
        &self,
        tenant: TenantId,
        room: &RoomId,
        alias: &str,
        members: &[User],
    ) -> Result<()> {
        for user in members {
            self.pending_leaves.leave(tenant, room, user.id()).await?;
        }
        if let Err(error) = self.room_administration.discard(room, alias).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(%room, error, "discarding a room failed: the bot stays in it");
        }
        Ok(())
    }

    /// Creates the room of a key that this process has claimed, and registers it.
    async fn create(&self, key: &RoomKey) -> Result<RoomId> {
        // Otherwise the closed room would be found by the alias.
        self.closures.free_alias(key).await?;
        let mut partners = Vec::new();
        for user in key.partners() {
            partners.push(self.accounts.ensure(key.tenant, user).await?);
        }
        let profile = key.profile(&self.settings);
        // The bot is a member too, so that other clients would not name the room after its two users.
        let names: Vec<_> = partners.iter().map(|user| user.display_name.as_str()).collect();
        let new = NewRoom {
            alias: key.alias(),
            name: profile.name.clone().unwrap_or_else(|| names.join(", ")),
            topic: profile.topic.clone(),
            is_direct: key.is_direct(),
            members_invite: key.members_invite(),
            invite: partners.iter().map(|user| self.ids.of(user)).collect(),
        };
        let room = self.room_administration.create_room(&new).await?;
        // Join before the room is registered: a crash in between must not leave the partners out.
        for partner in &partners {
            if let Err(error) = self.membership_calls.join(&room, &self.ids.of(partner)).await {
                if error.refusal().is_some() {
                    self.discard(key.tenant, &room, &new.alias, &partners).await?;
                }
                return Err(account_refused(None, partner, error));
            }
        }
        let members = partners.iter().map(|user| user.id().clone()).collect();
        let room = self.rooms.register(key, &room, &Profile { members, ..profile }).await?;
        // A room without members has no messages.
        if !partners.is_empty() {
            self.follow_ups.push(FollowUp::Backfill(room.clone()));
        }
        Ok(room)
    }

    /// Returns the tenant of a room, or `None` if the room is unknown. Costs no I/O while cached.
    pub(crate) async fn tenant_of(&self, room: &RoomId) -> Result<Option<TenantId>> {
        if let Some(tenant) = self.known.tenant(room) {
            return Ok(Some(tenant));
        }
        let tenant = self.rooms.tenant_of(room).await?;
        if let Some(tenant) = tenant {
            self.known.set_tenant(room.clone(), tenant);
        }
        Ok(tenant)
    }

    /// Returns whether messages in a room are known to be encrypted.
    pub(crate) fn is_encrypted(&self, room: &RoomId) -> bool {
        self.known.is_encrypted(room)
    }

    /// Records that messages in a room are encrypted from now on.
    pub(crate) fn note_encryption(&self, room: &RoomId) {
        self.known.set_encrypted(room.clone());
    }

    /// Caches the room of a key, until another process may have replaced it.
    fn remember(&self, key: RoomKey, room: &RoomId) {
        self.watch.call_once(|| self.closures.watch(self.known.clone()));
        self.known.set_room(key, room.clone());
    }

    /// Returns whether this process knows that a room was closed. Costs no I/O.
    pub(crate) fn is_known_closed(&self, room: &RoomId) -> bool {
        self.known.is_closed(room)
    }

    /// Records that a room was closed: its key has another room from now on.
    pub(crate) fn note_closed(&self, room: &RoomId) {
        self.known.closed(room);
    }

    /// Returns whether a room was closed, as stored now, and records it.
    pub(crate) async fn has_closed(&self, room: &RoomId) -> Result<bool> {
        if self.is_known_closed(room) {
            return Ok(true);
        }
        let is_closed = self.closures.is_closed(room).await?;
        if is_closed {
            self.note_closed(room);
        }
        Ok(is_closed)
    }

    /// Returns whether an act in a room failed because the room was closed, and records it. Costs no I/O for
    /// errors that have another cause.
    pub(crate) async fn failed_as_closed(&self, room: &RoomId, error: &Error) -> Result<bool> {
        let is_possible =
            error.failure() == Some(Failure::Rejected) || [CLOSED, "room_encrypted"].contains(&error.code());
        Ok(is_possible && self.has_closed(room).await?)
    }

    /// Records that a key has another room from now on.
    pub(crate) fn note_successor(&self, key: RoomKey, room: &RoomId) {
        self.remember(key, room);
    }
}
