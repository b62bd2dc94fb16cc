//! Reading one room on from the reconciled position, by a process that is not the reconciling worker: what it is about to
//! ingest must not come before an event that nobody has told us of.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::{error::Result, id::RoomId, room_event::RoomEvent},
    live::cache::Cache,
    port::{self, Ports, TimelinePage},
    sync::ingest::Ingest,
};

/// Most events that are read at once.
pub(crate) const PAGE: u32 = 100;
/// Most pages that are read at once: a worker that is further behind is not waited for.
const PAGES_AHEAD: usize = 5;
/// How much further back than the position is read: clocks differ. Ids are remembered for a day.
pub(crate) const OVERLAP: Duration = Duration::from_hours(6);

/// The most that a clock may be ahead.
const AHEAD_MAX: Duration = Duration::from_hours(24);

/// There was no Matrix before 2014.
const EARLIEST: Timestamp = Timestamp::constant(1_388_534_400, 0);
/// Most pages of a room that are read back.
const PAGES_BACK: usize = 20;

/// The times that events of a room have by the clocks of whoever made them.
pub(crate) struct Clocks {
    /// Older events are known already.
    horizon: Timestamp,
    /// A later time is a wrong clock.
    latest: Timestamp,
}

impl Clocks {
    fn is_credible(&self, event: &RoomEvent) -> bool {
        (EARLIEST..=self.latest).contains(&event.timestamp)
    }

    /// Whether most of these are older than the horizon: a single wrong clock does not end the reading.
    pub(crate) fn reaches_back(&self, events: &[RoomEvent]) -> bool {
        let older = events.iter().filter(|event| self.is_credible(event) && event.timestamp < self.horizon);
        older.count() * 2 > events.len()
    }

    /// Returns the index of the first new event. `events` have the order of the room, so all later ones are new whatever
    /// their clocks say; so are those without a credible time right before it.
    pub(crate) fn first_recent(&self, events: &[RoomEvent]) -> usize {
        let is_recent = |event: &RoomEvent| self.is_credible(event) && event.timestamp >= self.horizon;
        let recent = events.iter().position(is_recent).unwrap_or(events.len());
        events[..recent].iter().rposition(|event| self.is_credible(event)).map_or(0, |last| last + 1)
    }
}

/// Reads rooms on from the reconciled position.
pub struct CatchUp {
    timeline: Arc<dyn port::Timeline>,
    reconciliation: Arc<dyn port::Reconciliation>,
    clock: Arc<dyn port::Clock>,
    ingest: Arc<Ingest>,
    /// Up to where a room was read beyond a reconciled position.
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

    /// Ingests events of one room that we have just sent, after those that stand before them in the room.
    pub(crate) async fn ingest_own(&self, room: &RoomId, mut own: Vec<RoomEvent>) -> Result<()> {
        self.catch_up(room, &mut own).await?;
        // The worker has passed the rest already, or it was sent long ago.
        for event in own {
            let known = self.timeline.event(room, &event.event_id).await?;
            self.ingest.receive(vec![known.unwrap_or(event)]).await?;
        }
        Ok(())
    }

    /// Ingests the events of a room since the reconciled position, until all of `wanted` are among them or the room ends.
    /// Leaves those of `wanted` that it did not meet.
    pub(crate) async fn catch_up(&self, room: &RoomId, wanted: &mut Vec<RoomEvent>) -> Result<()> {
        let Some(position) = self.reconciliation.position().await? else {
            return self.catch_up_from_the_beginning(room, wanted).await;
        };
        let known = self.caught_up.get(room).filter(|(at, _)| *at == position);
        let mut from = known.map_or_else(|| position.clone(), |(_, page)| page);
        for _ in 0..PAGES_AHEAD {
            let TimelinePage { events, end, .. } = self.page_after(room, &from).await?;
            wanted.retain(|event| events.iter().all(|met| met.event_id != event.event_id));
            self.ingest.receive(events).await?;
            let Some(next) = end else { return Ok(()) };
            // The beginning of the last page, not its end: on Synapse an event that was sent at the same time as the
            // last ones may still appear before them.
            self.caught_up.put(room.clone(), (position.clone(), from));
            if wanted.is_empty() {
                return Ok(());
            }
            from = next;
        }
        Ok(())
    }

    /// No worker has stored a position yet: reads the room back to when this database was made.
    async fn catch_up_from_the_beginning(&self, room: &RoomId, wanted: &mut Vec<RoomEvent>) -> Result<()> {
        let horizon = self.reconciliation.moved_at().await? - OVERLAP;
        let events = self.read_back_to(room, horizon).await?;
        wanted.retain(|event| events.iter().all(|met| met.event_id != event.event_id));
        self.ingest.receive(events.into_iter().filter(|event| event.timestamp >= horizon).collect()).await
    }

    /// The page after a position; its `end` is `None` if there is none.
    pub(crate) async fn page_after(&self, room: &RoomId, from: &str) -> Result<TimelinePage> {
        let mut page = self.timeline.after(room, from, PAGE).await?;
        page.end = page.end.filter(|end| *end != from);
        Ok(page)
    }

    pub(crate) fn clocks(&self, horizon: Timestamp) -> Clocks {
        Clocks { horizon, latest: self.clock.now() + AHEAD_MAX }
    }

    /// The last pages of a room, oldest event first, back to the page that reaches beyond the horizon.
    pub(crate) async fn read_back_to(&self, room: &RoomId, horizon: Timestamp) -> Result<Vec<RoomEvent>> {
        let clocks = self.clocks(horizon);
        let (mut events, mut from) = (Vec::new(), None);
        for _ in 0..PAGES_BACK {
            let page = self.timeline.all_before(room, from.as_deref(), PAGE).await?;
            let is_enough = clocks.reaches_back(&page.events);
            events.extend(page.events);
            match page.end {
                Some(end) if !is_enough => from = Some(end),
                _ => {
                    events.reverse();
                    return Ok(events);
                }
            }
        }
        tracing::warn!(%room, "more was said than is read back: what is older stands in the history only");
        events.reverse();
        Ok(events)
    }
}
