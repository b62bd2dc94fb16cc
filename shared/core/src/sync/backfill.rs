//! Backfill: reads the events of a room that are older than its registration here.

use std::sync::Arc;

use crate::{
    domain::{error::Result, id::RoomId, room_event::RoomEvent},
    port::{self, Ports},
};

/// Most pages that are read.
const PAGES: usize = 5;
/// Most events of a page.
const PAGE: u32 = 100;

/// The engine that reads the last events of a room.
pub struct Backfill {
    timeline: Arc<dyn port::Timeline>,
}

impl Backfill {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self { timeline: ports.timeline.clone() }
    }

    /// Returns the last events of a room, oldest first, at most [`PAGES`] pages of them.
    pub(crate) async fn recent(&self, room: &RoomId) -> Result<Vec<RoomEvent>> {
        let (mut events, mut from) = (Vec::new(), None);
        for _ in 0..PAGES {
            let page = self.timeline.all_before(room, from.as_deref(), PAGE).await?;
            events.extend(page.events);
            match page.end {
                Some(end) => from = Some(end),
                None => break,
            }
        }
        events.reverse();
        Ok(events)
    }
}
