//! Reading one room on from the reconciled position, by a process that is not the reconciling worker: what it is about to
//! ingest must not come before an event that nobody has told us of.

use super::resync::OVERLAP;
use crate::{Messenger, Result, id::RoomId, inbound::RoomEvent, port::TimelinePage};

/// Most pages that are read at once: a worker that is further behind is not waited for.
const PAGES: usize = 5;

impl Messenger {
    /// Ingests events of one room that we have just sent, after those that stand before them in the room.
    pub(crate) async fn ingest_own(&self, room: &RoomId, mut own: Vec<RoomEvent>) -> Result<()> {
        self.catch_up(room, &mut own).await?;
        // The worker has passed the rest already, or it was sent long ago.
        for event in own {
            let known = self.timeline.event(room, &event.event_id).await?;
            self.receive(vec![known.unwrap_or(event)]).await?;
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
        for _ in 0..PAGES {
            let TimelinePage { events, end, .. } = self.page_after(room, &from).await?;
            wanted.retain(|event| events.iter().all(|met| met.event_id != event.event_id));
            self.receive(events).await?;
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
        self.receive(events.into_iter().filter(|event| event.timestamp >= horizon).collect()).await
    }
}
