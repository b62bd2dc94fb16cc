//! Reconciliation: the worker reads the homeserver's `/sync` from the stored sync token on, so that an outage
//! of this service, of any length, loses no event. One worker does it at a time.
//!
//! All events before the sync token are in the event log: it moves only after they were ingested, so a crash
//! repeats work and never leaves any out. `resync.rs` handles a sync token that the homeserver does not know
//! any more.

mod lease;
mod rejoin;
mod resync;

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    domain::{
        error::{Failure, Result},
        id::RoomId,
        lease::Lease,
        matrix_ids::MatrixIds,
        room_event::RoomEvent,
    },
    live::cache::Cache,
    port::{self, Changes, Ports, RoomChanges},
    sync::{
        ingest::Ingest,
        pages::{PAGE, Pages},
        quarantine::{Quarantine, RoomFailures, Subject},
        receipts::Receipts,
        typing::TypingUpdates,
    },
};

/// Duration of the lease: a worker that does not renew it in this time loses it.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// Time for which the failed attempts of the bot to rejoin a room are counted.
const REJOIN_ATTEMPTS_FOR: Duration = Duration::from_mins(5);

/// The engine that reads the homeserver's `/sync` from the stored sync token on.
pub struct Reconcile {
    timeline: Arc<dyn port::Timeline>,
    membership_calls: Arc<dyn port::MembershipCalls>,
    reconciliation: Arc<dyn port::Reconciliation>,
    rooms: Arc<dyn port::Rooms>,
    room_views: Arc<dyn port::RoomViews>,
    ingest: Arc<Ingest>,
    pages: Arc<Pages>,
    typing: Arc<TypingUpdates>,
    receipts: Arc<Receipts>,
    failures: Arc<RoomFailures>,
    ids: Arc<MatrixIds>,
    /// The number of failed attempts of the bot to rejoin each room.
    rejoin_attempts: Cache<RoomId, u32>,
}

/// The engines that [`Reconcile`] is made of.
pub(crate) struct Parts<'p> {
    pub(crate) ingest: &'p Arc<Ingest>,
    pub(crate) pages: &'p Arc<Pages>,
    pub(crate) typing: &'p Arc<TypingUpdates>,
    pub(crate) receipts: &'p Arc<Receipts>,
    pub(crate) failures: &'p Arc<RoomFailures>,
}

impl Reconcile {
    pub(crate) fn new(ports: &Ports, engines: &Parts<'_>, ids: &Arc<MatrixIds>) -> Self {
        Self {
            timeline: ports.timeline.clone(),
            membership_calls: ports.membership_calls.clone(),
            reconciliation: ports.reconciliation.clone(),
            rooms: ports.rooms.clone(),
            room_views: ports.room_views.clone(),
            ingest: engines.ingest.clone(),
            pages: engines.pages.clone(),
            typing: engines.typing.clone(),
            receipts: engines.receipts.clone(),
            failures: engines.failures.clone(),
            ids: ids.clone(),
            rejoin_attempts: Cache::with_ttl(REJOIN_ATTEMPTS_FOR),
        }
    }

    /// Ingests the events since the stored sync token. If there are none, waits for them for at most `wait`.
    pub async fn run(&self, worker: &str, wait: Duration) -> Result<Lease<()>> {
        let Lease::Held(since) = self.reconciliation.claim(worker, LEASE).await? else {
            return Ok(Lease::Lost);
        };
        self.under_lease(worker, Box::pin(self.read_from(worker, since.as_deref(), wait))).await
    }

    /// Stores a first sync token, if none is stored.
    #[tracing::instrument(level = "debug", skip_all, fields(%worker))]
    pub async fn begin(&self, worker: &str) -> Result<()> {
        if self.reconciliation.sync_token().await?.is_none() {
            self.run(worker, Duration::ZERO).await?;
        }
        Ok(())
    }

    async fn read_from(&self, worker: &str, since: Option<&str>, wait: Duration) -> Result<Lease<()>> {
        let Some(since) = since else { return self.resync(worker, None).await };
        match self.read_on(worker, since, wait).await {
            Err(error) if error.failure() == Some(Failure::UnknownToken) => {
                self.resync(worker, Some(&error)).await
            }
            result => result,
        }
    }

    async fn read_on(&self, worker: &str, since: &str, wait: Duration) -> Result<Lease<()>> {
        let requested = Instant::now();
        let mut changes = self.timeline.changes(Some(since), wait).await?;
        if requested.elapsed() > LEASE && self.renew(worker).await?.is_lost() {
            // This process was suspended during the request, so the response is old.
            return Ok(Lease::Lost);
        }
        let next = changes.next.clone();
        let typing = std::mem::take(&mut changes.typing);
        let receipts = std::mem::take(&mut changes.receipts);
        // At once: later on it could follow a newer list, which push has brought in the meantime.
        self.typing.publish(typing).await;
        // Limited rooms come first: reading on in them fails if the homeserver does not know the sync token,
        // and then nothing is ingested yet. The others are ordered by their last event, as room lists are
        // sorted by arrival.
        let last_event_at = |room: &RoomChanges| room.events.last().map(|event| event.timestamp);
        changes.rooms.sort_by_key(|room| (!room.is_limited, last_event_at(room)));
        if self.ingest_changes(worker, since, changes).await?.is_lost() {
            return Ok(Lease::Lost);
        }
        self.receipts.ingest(&receipts).await?;
        self.reconciliation.advance(worker, &next, LEASE).await
    }

    async fn ingest_changes(&self, worker: &str, since: &str, changes: Changes) -> Result<Lease<()>> {
        let mut quarantine = Quarantine::default();
        if self.enter_rooms(worker, Some(since), &changes, &mut quarantine).await?.is_lost() {
            return Ok(Lease::Lost);
        }
        for changes in changes.rooms {
            let room = changes.room.clone();
            match self.ingest_room(worker, since, changes).await {
                Ok(Lease::Held(())) => {}
                Ok(Lease::Lost) => return Ok(Lease::Lost),
                Err(error) => quarantine.hold(&room, error)?,
            }
        }
        quarantine.into_result()?;
        Ok(Lease::Held(()))
    }

    async fn ingest_room(&self, worker: &str, since: &str, changes: RoomChanges) -> Result<Lease<()>> {
        let RoomChanges { room, events, is_limited } = changes;
        if is_limited {
            let filled = self.fill_gap(worker, &room, since, &events).await;
            if self.failures.tolerate(&room, Subject::Gap, filled)? == Some(Lease::Lost) {
                return Ok(Lease::Lost);
            }
        }
        self.ingest.receive(events).await?;
        Ok(Lease::Held(()))
    }

    /// Ingests the events of a room from a sync token to the room's end.
    ///
    /// It does not stop where the timeline of `/sync` begins: Synapse orders a timeline by arrival and these
    /// pages by depth, so that an event before the timeline can stand after its first event here. A busy room
    /// grows while it is read. So reading stops at the first page that is not full and after which the whole
    /// timeline was read; the next `/sync` has the later events. With an empty timeline it reads until a page
    /// is empty.
    async fn fill_gap(
        &self,
        worker: &str,
        room: &RoomId,
        since: &str,
        timeline: &[RoomEvent],
    ) -> Result<Lease<()>> {
        let mut unread: HashSet<_> = timeline.iter().map(|event| &event.event_id).collect();
        let mut from = since.to_owned();
        loop {
            let page = self.pages.after(room, &from).await?;
            for id in &page.ids {
                unread.remove(id);
            }
            // Events that the service ignores count, too.
            let is_full = page.ids.len() >= PAGE as usize;
            let has_arrived = !is_full && !timeline.is_empty() && unread.is_empty();
            self.ingest.receive(page.events).await?;
            if self.renew(worker).await?.is_lost() {
                return Ok(Lease::Lost);
            }
            match page.end {
                Some(end) if !has_arrived => from = end,
                _ => return Ok(Lease::Held(())),
            }
        }
    }
}
