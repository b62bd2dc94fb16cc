//! Discovery of rooms that were created with other clients while push was away, and in which the bot is no
//! member.
//!
//! The bot's `/sync` shows only its own rooms. So the users who may use other clients are asked for theirs,
//! in their name, a few at a time.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::{
        error::{Error, Failure, Result},
        id::{HubUserId, MatrixUserId, RoomId},
        lease::Lease,
        matrix_ids::MatrixIds,
        user::User,
    },
    live::cache::Cache,
    port::{self, Ports},
    sync::{ingest::Ingest, quarantine::Quarantine, reconcile::LEASE},
};

/// Number of users whose rooms are read by one call.
const USERS: i64 = 5;

/// Most rooms of one user that are tried by one call. The others follow once these are adopted or cooling
/// down.
const ROOMS: usize = 20;

/// First pause before the next attempt to adopt a room: a user may be about to be invited into it. Each
/// failed attempt doubles the pause.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// The pause before the next attempt to adopt a room.
#[derive(Clone, Copy)]
pub(crate) struct AdoptionCooldown {
    until: Timestamp,
    pause: Duration,
}

/// Lifetime of the pause of a room that could not be adopted; longer than the longest pause.
const ADOPTION_COOLDOWN: Duration = Duration::from_mins(30);

/// The engine that discovers rooms which were created while push was away.
pub struct Discovery {
    external_access: Arc<dyn port::ExternalAccess>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    rooms: Arc<dyn port::Rooms>,
    reconciliation: Arc<dyn port::Reconciliation>,
    clock: Arc<dyn port::Clock>,
    ingest: Arc<Ingest>,
    ids: Arc<MatrixIds>,
    /// Rooms that were not adopted, with the time of the next attempt.
    adoption_cooldown: Cache<RoomId, AdoptionCooldown>,
}

impl Discovery {
    pub(crate) fn new(ports: &Ports, ingest: &Arc<Ingest>, ids: &Arc<MatrixIds>) -> Self {
        Self {
            external_access: ports.external_access.clone(),
            membership_calls: ports.membership_calls.clone(),
            rooms: ports.rooms.clone(),
            reconciliation: ports.reconciliation.clone(),
            clock: ports.clock.clone(),
            ingest: ingest.clone(),
            ids: ids.clone(),
            adoption_cooldown: Cache::with_ttl(ADOPTION_COOLDOWN),
        }
    }

    /// Adopts rooms of the next few users after `after`, or of the first ones. Returns the last of these
    /// users, with which the caller continues. Returns `None` after the last user.
    pub async fn discover(
        &self,
        worker: &str,
        after: Option<&HubUserId>,
    ) -> Result<Lease<Option<HubUserId>>> {
        if self.reconciliation.claim(worker, LEASE).await?.is_lost() {
            return Ok(Lease::Lost);
        }
        let users = self.external_access.allowed(after, USERS).await?;
        for user in users.iter().filter(|user| user.provisioned) {
            if self.adopt_rooms_of(worker, user).await?.is_lost() {
                return Ok(Lease::Lost);
            }
        }
        Ok(Lease::Held(users.last().map(|user| user.id().clone())))
    }

    async fn adopt_rooms_of(&self, worker: &str, user: &User) -> Result<Lease<()>> {
        let (mut quarantine, user) = (Quarantine::default(), self.ids.of(user));
        for room in self.undiscovered(&user).await? {
            if let Err(error) = self.ingest.adopt_from(&room, &user).await {
                quarantine.hold(&room, error)?;
            }
            // If the room was not adopted, others come first.
            self.cool_down(room);
            if self.reconciliation.renew(worker, LEASE).await?.is_lost() {
                return Ok(Lease::Lost);
            }
        }
        Ok(Lease::Held(()))
    }

    fn cool_down(&self, room: RoomId) {
        let before = self.adoption_cooldown.get(&room).map(|before| before.pause * 2);
        let pause = before.unwrap_or(FIRST_PAUSE).min(LONGEST_PAUSE);
        self.adoption_cooldown.put(room, AdoptionCooldown { until: self.clock.now() + pause, pause });
    }

    fn is_cooling_down(&self, room: &RoomId) -> bool {
        self.adoption_cooldown.get(room).is_some_and(|cooldown| self.clock.now() < cooldown.until)
    }

    /// Returns rooms of a user that the service does not know and that are not cooling down.
    async fn undiscovered(&self, user: &MatrixUserId) -> Result<Vec<RoomId>> {
        let mut rooms = match self.membership_calls.rooms_of(user).await {
            // An account that the homeserver does not show does not delay others.
            Err(error) if is_of_one_user(&error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%user, error, "rooms of a user cannot be read");
                return Ok(Vec::new());
            }
            rooms => rooms?,
        };
        rooms.retain(|room| !self.is_cooling_down(room));
        let known = if rooms.is_empty() { Vec::new() } else { self.rooms.known(&rooms).await? };
        rooms.retain(|room| !known.contains(room));
        rooms.truncate(ROOMS);
        Ok(rooms)
    }
}

fn is_of_one_user(error: &Error) -> bool {
    matches!(error.failure(), Some(Failure::Broken | Failure::Rejected))
}
