//! Reconciliation: the worker reads on from where it has arrived in the homeserver's own stream, so that an outage of
//! ours, of any length, loses nothing. One worker does it at a time.
//!
//! The *position* is the homeserver's word for "everything up to here": what comes before it is in our log. It moves only
//! after everything before it has been taken in, so a crash repeats work and never leaves any out. What happens when the
//! homeserver does not know it any more stands in `resync.rs`.

mod lease;
mod rejoin;
mod resync;

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    domain::{
        error::{Failure, Result},
        id::RoomId,
        matrix_ids::MatrixIds,
        room_event::RoomEvent,
    },
    live::cache::Cache,
    port::{self, Changes, Ports, RoomChanges},
    sync::{
        catch_up::{CatchUp, PAGE},
        ingest::Ingest,
        quarantine::{Quarantine, RoomFailures},
        receipts::Receipts,
        typing::TypingUpdates,
    },
};

pub(crate) use lease::LEASE;

/// How long it is known how often the bot could not come back into a room.
const REJOIN_ATTEMPTS_FOR: Duration = Duration::from_mins(5);

/// Reads the homeserver's `/sync` from the stored position.
pub struct Reconcile {
    timeline: Arc<dyn port::Timeline>,
    reconciliation: Arc<dyn port::Reconciliation>,
    rooms: Arc<dyn port::Rooms>,
    room_views: Arc<dyn port::RoomViews>,
    ingest: Arc<Ingest>,
    catch_up: Arc<CatchUp>,
    typing: Arc<TypingUpdates>,
    receipts: Arc<Receipts>,
    failures: Arc<RoomFailures>,
    ids: Arc<MatrixIds>,
    /// The number of failed attempts of the bot to enter a room again.
    rejoin_attempts: Cache<RoomId, u32>,
}

/// The engines that [`Reconcile`] is made of.
pub(crate) struct Parts<'p> {
    pub(crate) ingest: &'p Arc<Ingest>,
    pub(crate) catch_up: &'p Arc<CatchUp>,
    pub(crate) typing: &'p Arc<TypingUpdates>,
    pub(crate) receipts: &'p Arc<Receipts>,
    pub(crate) failures: &'p Arc<RoomFailures>,
}

impl Reconcile {
    pub(crate) fn new(ports: &Ports, engines: &Parts<'_>, ids: &Arc<MatrixIds>) -> Self {
        Self {
            timeline: ports.timeline.clone(),
            reconciliation: ports.reconciliation.clone(),
            rooms: ports.rooms.clone(),
            room_views: ports.room_views.clone(),
            ingest: engines.ingest.clone(),
            catch_up: engines.catch_up.clone(),
            typing: engines.typing.clone(),
            receipts: engines.receipts.clone(),
            failures: engines.failures.clone(),
            ids: ids.clone(),
            rejoin_attempts: Cache::with_ttl(REJOIN_ATTEMPTS_FOR),
        }
    }

    /// Takes in what happened since the last time, and waits for it as long as `patience` if nothing did. `false`:
    /// another worker is at it.
    pub async fn run(&self, worker: &str, patience: Duration) -> Result<bool> {
        let Some(since) = self.reconciliation.claim(worker, LEASE).await? else { return Ok(false) };
        self.under_lease(worker, Box::pin(self.read_from(worker, since.as_deref(), patience))).await
    }

    /// Stores the position from which reading begins, if none is stored.
    pub async fn begin(&self, worker: &str) -> Result<()> {
        if self.reconciliation.position().await?.is_none() {
            self.run(worker, Duration::ZERO).await?;
        }
        Ok(())
    }

    async fn read_from(&self, worker: &str, since: Option<&str>, patience: Duration) -> Result<bool> {
        let Some(since) = since else { return self.resync(worker, None).await };
        match self.read_on(worker, since, patience).await {
            Err(error) if error.failure() == Some(Failure::UnknownPosition) => {
                self.resync(worker, Some(&error)).await
            }
            result => result,
        }
    }

    async fn read_on(&self, worker: &str, since: &str, patience: Duration) -> Result<bool> {
        let asked = Instant::now();
        let mut changes = self.timeline.changes(Some(since), patience).await?;
        if asked.elapsed() > LEASE && !self.reconciliation.advance(worker, None, LEASE).await? {
            // This process was stopped meanwhile: its answer is old.
            return Ok(false);
        }
        let next = changes.next.clone();
        let typing = std::mem::take(&mut changes.typing);
        let receipts = std::mem::take(&mut changes.receipts);
        // At once: a list that is told late is told after its successor, which push has brought meanwhile.
        self.typing.publish(typing).await;
        // Reading on in these tells whether the position is known at all: before anything is taken in.
        // And in the order in which they had their last message: lists of rooms are sorted by the arrival.
        let last = |room: &RoomChanges| room.events.last().map(|event| event.timestamp);
        changes.rooms.sort_by_key(|room| (!room.is_limited, last(room)));
        if !self.ingest_changes(worker, since, changes).await? {
            return Ok(false);
        }
        self.receipts.ingest(&receipts).await?;
        self.reconciliation.advance(worker, Some(&next), LEASE).await
    }

    async fn ingest_changes(&self, worker: &str, since: &str, changes: Changes) -> Result<bool> {
        let mut quarantine = Quarantine::default();
        if !self.rejoin(worker, Some(since), &changes, &mut quarantine).await? {
            return Ok(false);
        }
        for changes in changes.rooms {
            let room = changes.room.clone();
            match self.ingest_room(worker, since, changes).await {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => quarantine.hold(&room, error)?,
            }
        }
        quarantine.into_result()?;
        Ok(true)
    }

    async fn ingest_room(&self, worker: &str, since: &str, changes: RoomChanges) -> Result<bool> {
        let RoomChanges { room, events, is_limited } = changes;
        if is_limited {
            let filled = self.fill(worker, &room, since, &events).await;
            if self.failures.in_time(&room, filled)? == Some(false) {
                return Ok(false);
            }
        }
        self.ingest.receive(events).await?;
        Ok(true)
    }

    /// Ingests the events of a room from a position to the room's end. It does not stop where the timeline of `/sync`
    /// begins: Synapse orders a timeline by arrival and these pages by depth, so that an event before the timeline can
    /// stand after its first event here. A busy room grows while it is read, so reading stops at the first page that is
    /// not full and after which the whole timeline was met: the next `/sync` has what came later. With an empty
    /// timeline it reads until a page is empty.
    async fn fill(&self, worker: &str, room: &RoomId, since: &str, timeline: &[RoomEvent]) -> Result<bool> {
        let mut ahead: HashSet<_> = timeline.iter().map(|event| &event.event_id).collect();
        let mut from = since.to_owned();
        loop {
            let page = self.catch_up.page_after(room, &from).await?;
            for id in &page.ids {
                ahead.remove(id);
            }
            // Events that do not concern us count, too.
            let is_full = page.ids.len() >= PAGE as usize;
            let has_arrived = !is_full && !timeline.is_empty() && ahead.is_empty();
            self.ingest.receive(page.events).await?;
            if !self.reconciliation.advance(worker, None, LEASE).await? {
                return Ok(false);
            }
            match page.end {
                Some(end) if !has_arrived => from = end,
                _ => return Ok(true),
            }
        }
    }
}
