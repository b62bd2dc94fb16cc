//! The rooms of keys: each is created exactly once, whoever asks how often at the same time.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    app::accounts::Accounts,
    domain::{
        error::Result,
        id::{RoomId, TenantId},
        matrix_ids::MatrixIds,
        room::{Claim, NewRoom, Profile, RoomKey, account_refused},
        settings::MessengerSettings,
        user::User,
    },
    live::{
        cache::Cache,
        follow_ups::{FollowUp, FollowUps},
    },
    port::{self, Ports},
};

/// Finds and creates rooms, and brings users into them.
pub struct RoomRegistry {
    rooms: Arc<dyn port::Rooms>,
    room_records: Arc<dyn port::RoomRecords>,
    room_state: Arc<dyn port::RoomState>,
    homeserver: Arc<dyn port::Homeserver>,
    memberships: Arc<dyn port::Memberships>,
    pending_leaves: Arc<dyn port::PendingLeaves>,
    accounts: Arc<Accounts>,
    ids: Arc<MatrixIds>,
    settings: Arc<MessengerSettings>,
    follow_ups: FollowUps,
    room_ids: Cache<RoomKey, RoomId>,
    /// Rooms whose messages are encrypted.
    encrypted: Cache<RoomId, ()>,
    /// Keys that had no room a moment ago.
    absent: Cache<RoomKey, ()>,
    tenants: Cache<RoomId, TenantId>,
}

/// How long a process trusts what it remembers of the room of a key: another may have replaced it.
const ROOM_KNOWN_FOR: Duration = Duration::from_secs(10);

/// How long a process trusts that a room does not exist yet.
const ABSENT_FOR: Duration = Duration::from_secs(1);

/// How long one process may take to create a room before another may try.
const CREATION_LEASE: Duration = Duration::from_secs(20);

/// How often somebody who waits for another's creation looks again.
const CREATION_POLL: Duration = Duration::from_millis(50);

impl RoomRegistry {
    pub(crate) fn new(
        ports: &Ports,
        accounts: &Arc<Accounts>,
        ids: &Arc<MatrixIds>,
        settings: &Arc<MessengerSettings>,
        follow_ups: &FollowUps,
    ) -> Self {
        Self {
            rooms: ports.rooms.clone(),
            room_records: ports.room_records.clone(),
            room_state: ports.room_state.clone(),
            homeserver: ports.homeserver.clone(),
            memberships: ports.memberships.clone(),
            pending_leaves: ports.pending_leaves.clone(),
            accounts: accounts.clone(),
            ids: ids.clone(),
            settings: settings.clone(),
            follow_ups: follow_ups.clone(),
            room_ids: Cache::with_ttl(ROOM_KNOWN_FOR),
            encrypted: Cache::with_ttl(ROOM_KNOWN_FOR),
            absent: Cache::with_ttl(ABSENT_FOR),
            tenants: Cache::without_ttl(),
        }
    }

    /// The room of a key, if it exists already. Costs no I/O once known to this process.
    pub async fn find(&self, key: &RoomKey) -> Result<Option<RoomId>> {
        if let Some(room) = self.room_ids.get(key) {
            return Ok(Some(room));
        }
        let Some((room, marks)) = self.rooms.find(key).await? else { return Ok(None) };
        self.room_ids.put(key.clone(), room.clone());
        if marks.is_encrypted {
            self.encrypted.put(room.clone(), ());
        }
        Ok(Some(room))
    }

    /// The room of a key as an event names it, where one without a name does no harm. That there is none is believed for
    /// a moment: else each call of a burst to a room that is yet to come would ask.
    pub(crate) async fn find_named(&self, key: &RoomKey) -> Result<Option<RoomId>> {
        if let Some(room) = self.room_ids.get(key) {
            return Ok(Some(room));
        }
        if self.absent.get(key).is_some() {
            return Ok(None);
        }
        let found = self.find(key).await?;
        if found.is_none() {
            self.absent.put(key.clone(), ());
        }
        Ok(found)
    }

    /// The room of a key; created if need be, exactly once whoever asks how often at the same time.
    pub(crate) async fn find_or_create(&self, key: &RoomKey) -> Result<RoomId> {
        if let Some(room) = self.find(key).await? {
            return Ok(room);
        }
        let deadline = Instant::now() + CREATION_LEASE;
        loop {
            match self.rooms.claim(key, CREATION_LEASE).await? {
                Claim::Registered(room) => {
                    self.room_ids.put(key.clone(), room.clone());
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
                    self.room_ids.put(key.clone(), room.clone());
                    return Ok(room);
                }
                Claim::Held if Instant::now() < deadline => tokio::time::sleep(CREATION_POLL).await,
                Claim::Held => {
                    return Err(crate::Error::internal(
                        "waiting for a room to be created",
                        "another process holds the claim",
                    ));
                }
            }
        }
    }

    /// Brings a user into a room, on the homeserver and in our table. Into a room that another process has replaced a
    /// moment ago nobody comes any more.
    pub(crate) async fn join(&self, key: &RoomKey, room: &RoomId, user: &User) -> Result<()> {
        let replaced = self.room_records.former(room).await?;
        if replaced.is_some() {
            self.room_ids.remove(key);
        }
        let room = replaced.as_ref().map_or(room, |former| &former.current);
        self.pending_leaves.cancel(room, user.id()).await?;
        self.homeserver.join(room, &self.ids.of(user)).await?;
        self.memberships.add(key.tenant, room, user.id()).await
    }

    /// Takes back a room in which somebody cannot be: nobody keeps a room that is not what it was to be.
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
        if let Err(error) = self.room_state.discard(room, alias).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(%room, error, "the bot stays in a room that came to nothing");
        }
        Ok(())
    }

    async fn create(&self, key: &RoomKey) -> Result<RoomId> {
        let mut partners = Vec::new();
        for user in key.partners() {
            partners.push(self.accounts.ensure(key.tenant, user).await?);
        }
        let profile = key.profile(&self.settings);
        // In other clients a direct chat of two has the names of both, since the bot is in it, too.
        let names: Vec<_> = partners.iter().map(|user| user.identity.display_name.as_str()).collect();
        let new = NewRoom {
            alias: key.alias(),
            name: profile.name.clone().unwrap_or_else(|| names.join(", ")),
            topic: profile.topic.clone(),
            is_direct: key.is_direct(),
            members_invite: key.members_invite(),
            invite: partners.iter().map(|user| self.ids.of(user)).collect(),
        };
        let room = self.homeserver.create_room(&new).await?;
        // Before the room counts as made: a crash in between must not leave its partners out.
        for partner in &partners {
            if let Err(error) = self.homeserver.join(&room, &self.ids.of(partner)).await {
                if error.refusal().is_some() {
                    self.discard(key.tenant, &room, &new.alias, &partners).await?;
                }
                return Err(account_refused(None, partner, error));
            }
        }
        let members = partners.iter().map(|user| user.id().clone()).collect();
        let room = self.rooms.register(key, &room, &Profile { members, ..profile }).await?;
        // Where nobody is yet, nobody says anything.
        if !partners.is_empty() {
            self.follow_ups.push(FollowUp::Backfill(room.clone()));
        }
        Ok(room)
    }

    /// Whose room it is. Costs no I/O once known to this process.
    pub(crate) async fn tenant_of(&self, room: &RoomId) -> Result<Option<TenantId>> {
        if let Some(tenant) = self.tenants.get(room) {
            return Ok(Some(tenant));
        }
        let tenant = self.rooms.tenant_of(room).await?;
        if let Some(tenant) = tenant {
            self.tenants.put(room.clone(), tenant);
        }
        Ok(tenant)
    }

    /// Returns whether messages in a room are known to be encrypted.
    pub(crate) fn is_encrypted(&self, room: &RoomId) -> bool {
        self.encrypted.get(room).is_some()
    }

    /// Notes that messages in a room are encrypted from now on.
    pub(crate) fn note_encryption(&self, room: &RoomId) {
        self.encrypted.put(room.clone(), ());
    }

    /// Notes that a key has another room from now on.
    pub(crate) fn note_successor(&self, key: RoomKey, room: &RoomId) {
        self.room_ids.put(key, room.clone());
    }
}
