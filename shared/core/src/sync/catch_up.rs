//! Catching up: reads one room from the stored sync token on, before a process that is not the reconciling
//! worker ingests later events of that room, which a push or a caller brought.
//!
//! These events must not enter the event log before earlier events that no push brought.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::{error::Result, id::RoomId, room_event::RoomEvent},
    live::cache::Cache,
    port::{self, Ports, TimelinePage},
    sync::ingest::Ingest,
};

/// Most events of a page.
pub(crate) const PAGE: u32 = 100;
/// Most pages of one call: if the reconciling worker is further behind, the call does not wait for it.
const PAGES_AHEAD: usize = 5;
/// Time that is read beyond the age of the sync token, because clocks differ. The database keeps event ids
/// for a day.
pub(crate) const OVERLAP: Duration = Duration::from_hours(6);

/// Most time by which a credible clock is ahead.
const AHEAD_MAX: Duration = Duration::from_hours(24);

/// The earliest credible time of an event: Matrix began in 2014.
const EARLIEST: Timestamp = Timestamp::constant(1_388_534_400, 0);
/// Most pages of a room that are read backwards.
const PAGES_BACK: usize = 20;

/// The credible range of event timestamps, which come from the clocks of other servers.
pub(crate) struct Clocks {
    /// The time before which all events are known.
    horizon: Timestamp,
    /// The latest credible time: a later one comes from a wrong clock.
    latest: Timestamp,
}

impl Clocks {
    fn is_credible(&self, event: &RoomEvent) -> bool {
        (EARLIEST..=self.latest).contains(&event.timestamp)
    }

    /// Returns whether most of these events are older than the horizon. A single wrong clock does not count.
    pub(crate) fn reaches_back(&self, events: &[RoomEvent]) -> bool {
        let older = events.iter().filter(|event| self.is_credible(event) && event.timestamp < self.horizon);
        older.count() * 2 > events.len()
    }

    /// Returns the index of the first new event. The events have the order of the room, so all later ones are
    /// new, whatever their timestamps; so are the events without a credible timestamp right before it.
    pub(crate) fn first_recent(&self, events: &[RoomEvent]) -> usize {
        let is_recent = |event: &RoomEvent| self.is_credible(event) && event.timestamp >= self.horizon;
        let recent = events.iter().position(is_recent).unwrap_or(events.len());
        events[..recent].iter().rposition(|event| self.is_credible(event)).map_or(0, |last| last + 1)
    }
}

/// Reads single rooms from the stored sync token on.
pub struct CatchUp {
    timeline: Arc<dyn port::Timeline>,
    reconciliation: Arc<dyn port::Reconciliation>,
    clock: Arc<dyn port::Clock>,
    ingest: Arc<Ingest>,
    /// The sync token from which a room was read, and the last page that was reached.
    caught_up: Cache<RoomId, (String, String)>,
}

impl CatchUp {
    pub(crate) fn new(ports: &Ports, ingest: &Arc<Ingest>) -> Self {
        Self {
            timeline: ports.timeline.clone(),
            reconciliation: ports.reconciliation.clone(),
            clock: ports.clock.clone(),
            ingest: ingest.clone(),
            caught_up: Cache::without_ttl(),
        }
    }

    /// Ingests events that this process has just sent to a room, after the events before them in the room.
    pub(crate) async fn ingest_own(&self, room: &RoomId, mut own: Vec<RoomEvent>) -> Result<()> {
        self.catch_up(room, &mut own).await?;
        // The reconciling worker is past the others, or they were sent long ago.
        for event in own {
            let known = self.timeline.event(room, &event.event_id).await?;
            self.ingest.receive(vec![known.unwrap_or(event)]).await?;
        }
        Ok(())
    }

    /// Ingests the events of a room since the stored sync token, until all of `wanted` are ingested or the
    /// room ends. Removes from `wanted` each event that it ingested.
    pub(crate) async fn catch_up(&self, room: &RoomId, wanted: &mut Vec<RoomEvent>) -> Result<()> {
        let Some(token) = self.reconciliation.position().await? else {
            return self.catch_up_without_token(room, wanted).await;
        };
        let known = self.caught_up.get(room).filter(|(since, _)| *since == token);
        let mut from = known.map_or_else(|| token.clone(), |(_, page)| page);
        for _ in 0..PAGES_AHEAD {
            let TimelinePage { events, end, .. } = self.page_after(room, &from).await?;
            wanted.retain(|event| events.iter().all(|read| read.event_id != event.event_id));
            self.ingest.receive(events).await?;
            let Some(next) = end else { return Ok(()) };
            // The start of the last page is kept, not its end: on Synapse an event that was sent at the same
            // time as the last ones can still appear before them.
            self.caught_up.put(room.clone(), (token.clone(), from));
            if wanted.is_empty() {
                return Ok(());
            }
            from = next;
        }
        Ok(())
    }

    /// Ingests the events of a room since the creation of the database, as long as no sync token is stored.
    async fn catch_up_without_token(&self, room: &RoomId, wanted: &mut Vec<RoomEvent>) -> Result<()> {
        let horizon = self.reconciliation.moved_at().await? - OVERLAP;
        let events = self.read_back_to(room, horizon).await?;
        wanted.retain(|event| events.iter().all(|read| read.event_id != event.event_id));
        self.ingest.receive(events.into_iter().filter(|event| event.timestamp >= horizon).collect()).await
    }

    /// Returns the page after a sync token; its `end` is `None` if it is the last one.
    pub(crate) async fn page_after(&self, room: &RoomId, from: &str) -> Result<TimelinePage> {
        let mut page = self.timeline.after(room, from, PAGE).await?;
        page.end = page.end.filter(|end| *end != from);
        Ok(page)
    }

    /// Returns the credible range of timestamps, for events since the horizon.
    pub(crate) fn clocks(&self, horizon: Timestamp) -> Clocks {
        Clocks { horizon, latest: self.clock.now() + AHEAD_MAX }
    }

    /// Returns the last pages of a room, oldest event first, back to the page that reaches beyond the
    /// horizon.
    pub(crate) async fn read_back_to(&self, room: &RoomId, horizon: Timestamp) -> Result<Vec<RoomEvent>> {
        let clocks = self.clocks(horizon);
        let (mut events, mut from) = (Vec::new(), None);
        for _ in 0..PAGES_BACK {
            let page = self.timeline.all_before(room, from.as_deref(), PAGE).await?;
            let is_complete = clocks.reaches_back(&page.events);
            events.extend(page.events);
            match page.end {
                Some(end) if !is_complete => from = Some(end),
                _ => {
                    events.reverse();
                    return Ok(events);
                }
            }
        }
        tracing::warn!(%room, "reading a room back stopped at the page limit; older events are in its history only");
        events.reverse();
        Ok(events)
    }
}
