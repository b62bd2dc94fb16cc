//! Rooms of which we have not heard: made with other clients while push was away, without the bot in them. Its `/sync`
//! shows only rooms in which it is, so those who may use other clients are asked for theirs, in their name, a few at a time.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::{
        error::{Error, Failure, Result},
        id::{HubUserId, MatrixUserId, RoomId},
        matrix_ids::MatrixIds,
        user::User,
    },
    live::cache::Cache,
    port::{self, Ports},
    sync::{ingest::Ingest, quarantine::Quarantine, reconcile::LEASE},
};

/// How many users are asked at once.
const USERS: i64 = 5;

/// Most rooms of one of them that are looked at; the others are when these are adopted, or left alone.
const ROOMS: usize = 20;

/// First pause before a room that was not adopted is looked at again: somebody may be about to be invited into it. Each
/// look in vain doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// When a room that was not adopted is looked at again.
#[derive(Clone, Copy)]
pub(crate) struct AdoptionCooldown {
    until: Timestamp,
    pause: Duration,
}

/// Lifetime of the pause of a room that could not be adopted; longer than the longest pause.
const ADOPTION_COOLDOWN: Duration = Duration::from_mins(30);

/// Finds rooms that were created while push was away.
pub struct Discovery {
    external_access: Arc<dyn port::ExternalAccess>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    rooms: Arc<dyn port::Rooms>,
    reconciliation: Arc<dyn port::Reconciliation>,
    clock: Arc<dyn port::Clock>,
    ingest: Arc<Ingest>,
    ids: Arc<MatrixIds>,
    /// Rooms that were not adopted, with the time of the next look.
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

    /// Adopts rooms of the next few users after this one, from the first without one. Returns where it goes on; `None`:
    /// everybody has been asked, or another worker is at it.
    pub async fn discover(&self, worker: &str, after: Option<&HubUserId>) -> Result<Option<HubUserId>> {
        if self.reconciliation.claim(worker, LEASE).await?.is_none() {
            return Ok(None);
        }
        let users = self.external_access.allowed(after, USERS).await?;
        for user in users.iter().filter(|user| user.provisioned) {
            self.adopt_rooms_of(worker, user).await?;
        }
        Ok(users.last().map(|user| user.id().clone()))
    }

    async fn adopt_rooms_of(&self, worker: &str, user: &User) -> Result<()> {
        let (mut quarantine, user) = (Quarantine::default(), self.ids.of(user));
        for room in self.undiscovered(&user).await? {
            if let Err(error) = self.ingest.adopt_from(&room, &user).await {
                quarantine.hold(&room, error)?;
            }
            // If it was not adopted, others come first.
            self.cool_down(room);
            if !self.reconciliation.advance(worker, None, LEASE).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn cool_down(&self, room: RoomId) {
        let before = self.adoption_cooldown.get(&room).map(|before| before.pause * 2);
        let pause = before.unwrap_or(FIRST_PAUSE).min(LONGEST_PAUSE);
        self.adoption_cooldown.put(room, AdoptionCooldown { until: self.clock.now() + pause, pause });
    }

    fn is_cooling_down(&self, room: &RoomId) -> bool {
        self.adoption_cooldown.get(room).is_some_and(|left| self.clock.now() < left.until)
    }

    /// Rooms of theirs that are none of ours.
    async fn undiscovered(&self, user: &MatrixUserId) -> Result<Vec<RoomId>> {
        let mut rooms = match self.membership_calls.rooms_of(user).await {
            // Nobody waits for one account that the homeserver does not want to show.
            Err(error) if is_of_one_user(&error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%user, error, "the rooms of a user cannot be asked for");
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
