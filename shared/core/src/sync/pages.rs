//! Pages of a room's timeline: onwards from a sync token, or backwards to a time before which all events are
//! known.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::{error::Result, id::RoomId, room_event::RoomEvent},
    port::{self, Ports, TimelinePage},
};

/// Most events of a page.
pub(crate) const PAGE: u32 = 100;
/// Time that is read beyond the age of the sync token, because clocks differ. Event ids are kept for longer:
/// for 30 days, and for at least a day before the sync token moved last.
pub(crate) const OVERLAP: Duration = Duration::from_hours(6);

/// Most time by which a credible clock is ahead.
const AHEAD_MAX: Duration = Duration::from_hours(24);

/// The earliest credible time of an event: Matrix began in 2014.
const EARLIEST: Timestamp = Timestamp::constant(1_388_534_400, 0);
/// Most pages of a room that are read backwards.
const PAGES_BACK: usize = 20;

/// The credible range of event timestamps, which come from the clocks of other servers.
pub(crate) struct CredibleTimes {
    /// The time before which all events are known.
    horizon: Timestamp,
    /// The latest credible time: a later one comes from a wrong clock.
    latest: Timestamp,
}

impl CredibleTimes {
    fn includes(&self, event: &RoomEvent) -> bool {
        (EARLIEST..=self.latest).contains(&event.timestamp)
    }

    /// Returns whether most of these events are older than the horizon. A single wrong clock does not count.
    pub(crate) fn reaches_back(&self, events: &[RoomEvent]) -> bool {
        let older = events.iter().filter(|event| self.includes(event) && event.timestamp < self.horizon);
        older.count() * 2 > events.len()
    }

    /// Returns the index of the first new event. The events have the order of the room, so all later ones are
    /// new, whatever their timestamps; so are the events without a credible timestamp right before it.
    pub(crate) fn first_recent(&self, events: &[RoomEvent]) -> usize {
        let is_recent = |event: &RoomEvent| self.includes(event) && event.timestamp >= self.horizon;
        let recent = events.iter().position(is_recent).unwrap_or(events.len());
        events[..recent].iter().rposition(|event| self.includes(event)).map_or(0, |last| last + 1)
    }
}

/// A reader of the pages of rooms.
pub(crate) struct Pages {
    timeline: Arc<dyn port::Timeline>,
    clock: Arc<dyn port::Clock>,
}

impl Pages {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self { timeline: ports.timeline.clone(), clock: ports.clock.clone() }
    }

    /// Returns the page after a sync token; its `end` is `None` if it is the last one.
    pub(crate) async fn after(&self, room: &RoomId, from: &str) -> Result<TimelinePage> {
        let mut page = self.timeline.after(room, from, PAGE).await?;
        page.end = page.end.filter(|end| *end != from);
        Ok(page)
    }

    /// Returns the credible range of timestamps, for events since the horizon.
    pub(crate) fn credible_times(&self, horizon: Timestamp) -> CredibleTimes {
        CredibleTimes { horizon, latest: self.clock.now() + AHEAD_MAX }
    }

    /// Returns the last pages of a room, oldest event first, back to the page that reaches beyond the
    /// horizon.
    pub(crate) async fn back_to(&self, room: &RoomId, horizon: Timestamp) -> Result<Vec<RoomEvent>> {
        let times = self.credible_times(horizon);
        let (mut events, mut from) = (Vec::new(), None);
        for _ in 0..PAGES_BACK {
            let page = self.timeline.all_before(room, from.as_deref(), PAGE).await?;
            let is_complete = times.reaches_back(&page.events);
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
