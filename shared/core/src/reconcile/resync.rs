//! Reading without a position: at the very first start, or when the homeserver does not know our position any more, since it
//! was set up anew, restored, or is another one by now. Reading begins with the last pages of each room, as far back as
//! the position was last known to be good; at first, as far back as this database was made.
//!
//! Nothing is doubled, since events count once by their id, and ids are remembered for longer than is read back here.
//! What can be missed is what a room has beyond its last pages; it is still in the history.

use std::time::Duration;

use jiff::Timestamp;

use super::{LEASE, PAGE};
use crate::{
    Error, Messenger, Result,
    id::RoomId,
    inbound::{Quarantine, RoomEvent},
    port::RoomChanges,
};

/// How much further back than the position is read: clocks differ. Ids are remembered for a day.
pub(super) const OVERLAP: Duration = Duration::from_hours(6);
/// The most that a clock may be ahead.
const AHEAD_MAX: Duration = Duration::from_hours(24);
/// There was no Matrix before 2014.
const EARLIEST: Timestamp = Timestamp::constant(1_388_534_400, 0);
/// Most pages of a room that are read back.
const PAGES: usize = 20;

/// The times that events of a room have by the clocks of whoever made them.
struct Clocks {
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
    fn reaches_back(&self, events: &[RoomEvent]) -> bool {
        let older = events.iter().filter(|event| self.is_credible(event) && event.timestamp < self.horizon);
        older.count() * 2 > events.len()
    }

    /// Returns the index of the first new event. `events` have the order of the room, so all later ones are new whatever
    /// their clocks say; so are those without a credible time right before it.
    fn first_recent(&self, events: &[RoomEvent]) -> usize {
        let is_recent = |event: &RoomEvent| self.is_credible(event) && event.timestamp >= self.horizon;
        let recent = events.iter().position(is_recent).unwrap_or(events.len());
        events[..recent].iter().rposition(|event| self.is_credible(event)).map_or(0, |last| last + 1)
    }
}

impl Messenger {
    /// Reads without a position; `cause` says why a stored one is not used.
    pub(super) async fn start_anew(&self, worker: &str, cause: Option<&Error>) -> Result<bool> {
        let mut changes = self.timeline.changes(None, Duration::ZERO).await?;
        let typing = std::mem::take(&mut changes.typing);
        let receipts = std::mem::take(&mut changes.receipts);
        let horizon = self.reconciliation.moved_at().await? - OVERLAP;
        if let Some(error) = cause {
            let error: &dyn std::error::Error = error;
            tracing::error!(error, %horizon, "the homeserver does not know where we have arrived: reading the last of each room");
        }
        // The ids of older events may be forgotten, so that these would be told twice; at first there are none.
        let drops_older = cause.is_some();
        let mut quarantine = Quarantine::default();
        if !self.come_back(worker, None, &changes, &mut quarantine).await? {
            return Ok(false);
        }
        for changes in changes.rooms {
            let room = changes.room.clone();
            let read = self.read_again(changes, horizon, drops_older).await;
            if let Err(error) = self.in_time(&room, read) {
                quarantine.hold(&room, error)?;
            }
            if !self.reconciliation.advance(worker, None, LEASE).await? {
                return Ok(false);
            }
        }
        quarantine.into_result()?;
        self.hear_typing(typing).await;
        self.hear_receipts(&receipts).await?;
        self.reconciliation.advance(worker, Some(&changes.next), LEASE).await
    }

    async fn read_again(&self, changes: RoomChanges, horizon: Timestamp, drops_older: bool) -> Result<()> {
        let RoomChanges { room, mut events, is_limited } = changes;
        let clocks = self.clocks(horizon);
        if is_limited && !clocks.reaches_back(&events) {
            events = self.read_back_to(&room, horizon).await?;
        }
        if drops_older {
            events = events.split_off(clocks.first_recent(&events));
        }
        self.receive(events).await
    }

    fn clocks(&self, horizon: Timestamp) -> Clocks {
        Clocks { horizon, latest: self.clock.now() + AHEAD_MAX }
    }

    /// The last pages of a room, oldest event first, back to the page that reaches beyond the horizon.
    pub(super) async fn read_back_to(&self, room: &RoomId, horizon: Timestamp) -> Result<Vec<RoomEvent>> {
        let clocks = self.clocks(horizon);
        let (mut events, mut from) = (Vec::new(), None);
        for _ in 0..PAGES {
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
