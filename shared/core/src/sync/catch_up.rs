//! Catching up: reads one room from the stored sync token on, before a process that is not the reconciling
//! worker ingests later events of that room, which a push or a caller brought.
//!
//! These events must not enter the event log before earlier events that no push brought.

use std::sync::Arc;

use crate::{
    domain::{error::Result, id::RoomId, room_event::RoomEvent},
    live::cache::Cache,
    port::{self, Ports, TimelinePage},
    sync::{
        ingest::Ingest,
        pages::{OVERLAP, Pages},
    },
};

/// Most pages of one call: if the reconciling worker is further behind, the call does not wait for it.
const PAGES_AHEAD: usize = 5;

/// The engine that reads single rooms from the stored sync token on.
pub struct CatchUp {
    timeline: Arc<dyn port::Timeline>,
    reconciliation: Arc<dyn port::Reconciliation>,
    ingest: Arc<Ingest>,
    pages: Arc<Pages>,
    /// The sync token from which a room was read, and the last page that was reached.
    reached_page: Cache<RoomId, (String, String)>,
}

impl CatchUp {
    pub(crate) fn new(ports: &Ports, ingest: &Arc<Ingest>, pages: &Arc<Pages>) -> Self {
        Self {
            timeline: ports.timeline.clone(),
            reconciliation: ports.reconciliation.clone(),
            ingest: ingest.clone(),
            pages: pages.clone(),
            reached_page: Cache::without_ttl(),
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
        let Some(token) = self.reconciliation.sync_token().await? else {
            return self.catch_up_without_token(room, wanted).await;
        };
        let known = self.reached_page.get(room).filter(|(since, _)| *since == token);
        let mut from = known.map_or_else(|| token.clone(), |(_, page)| page);
        for _ in 0..PAGES_AHEAD {
            let TimelinePage { events, end, .. } = self.pages.after(room, &from).await?;
            wanted.retain(|event| events.iter().all(|read| read.event_id != event.event_id));
            self.ingest.receive(events).await?;
            let Some(next) = end else { return Ok(()) };
            // The start of the last page is kept, not its end: on Synapse an event that was sent at the same
            // time as the last ones can still appear before them.
            self.reached_page.put(room.clone(), (token.clone(), from));
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
        let events = self.pages.back_to(room, horizon).await?;
        wanted.retain(|event| events.iter().all(|read| read.event_id != event.event_id));
        self.ingest.receive(events.into_iter().filter(|event| event.timestamp >= horizon).collect()).await
    }
}
