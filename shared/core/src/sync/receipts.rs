//! Read receipts: what people have read with other Matrix clients is read here, too.
//!
//! A receipt moves a read position forward, never back. It may name any event of the room: one that is no known message
//! (a change of the room, something older, or a message that has not arrived here yet) is looked up at the homeserver
//! once, in the background, and counts for the messages before it. Receipts of threads other than `main` are passed over,
//! since they say nothing of the rest of the room.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::{
    domain::{
        error::Result,
        id::{EventId, RoomId},
        matrix_ids::MatrixIds,
        receipt::Receipt,
    },
    live::cache::Cache,
    port::{self, Ports, ReadUpTo},
};

/// Most receipts of one call of the database.
const BATCH: usize = 200;

/// When events are looked up that are no known message; the second time is for messages that arrive late.
const LOOK_AFTER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(5)];

/// When pushed receipts that could not be stored are tried again.
const TRY_AFTER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15), Duration::from_mins(1)];

/// The number of events that are looked at before such an event.
const EVENTS_BEFORE: u32 = 50;
/// The time for which a receipt is known as taken in.
const RECEIPT_FOR: Duration = Duration::from_mins(1);

/// Ingests read receipts.
pub struct Receipts {
    room_views: Arc<dyn port::RoomViews>,
    timeline: Arc<dyn port::Timeline>,
    ids: Arc<MatrixIds>,
    background: TaskTracker,
    /// Receipts that were ingested a moment ago: homeservers send the same by push and by `/sync`.
    known: Cache<Receipt, ()>,
    /// An event that is no known message, with the events before it.
    events_before: Cache<EventId, Arc<[EventId]>>,
}

impl Receipts {
    pub(crate) fn new(ports: &Ports, ids: &Arc<MatrixIds>, background: &TaskTracker) -> Self {
        Self {
            room_views: ports.room_views.clone(),
            timeline: ports.timeline.clone(),
            ids: ids.clone(),
            background: background.clone(),
            known: Cache::with_ttl(RECEIPT_FOR),
            events_before: Cache::with_ttl(RECEIPT_FOR),
        }
    }

    /// Takes receipts over: moves the read positions of our users, and tells their devices. Costs one call of the
    /// database for all of them, and none for those that were taken over a moment ago.
    ///
    /// # Errors
    /// When the database fails. Call again with the same receipts.
    pub async fn ingest(self: &Arc<Self>, receipts: &[Receipt]) -> Result<()> {
        let mut seen = HashSet::new();
        let new =
            receipts.iter().filter(|receipt| seen.insert(*receipt) && self.known.get(receipt).is_none());
        let ours: Vec<_> = new.filter_map(|receipt| Some((self.read_by(receipt)?, receipt))).collect();
        for batch in ours.chunks(BATCH) {
            let read: Vec<_> = batch.iter().map(|(read, _)| read.clone()).collect();
            let unknown = self.room_views.read_up_to(&read).await?;
            for (_, receipt) in batch {
                self.known.put((*receipt).clone(), ());
            }
            let unknown: Vec<_> = unknown.into_iter().filter_map(|n| read.get(n).cloned()).collect();
            if !unknown.is_empty() {
                let engine = Arc::clone(self);
                self.background.spawn(async move { engine.look_up(unknown).await });
            }
        }
        Ok(())
    }

    /// The same for receipts that were pushed, which no homeserver repeats: if the database fails, it is tried again in the
    /// background.
    pub async fn ingest_pushed(self: &Arc<Self>, receipts: Vec<Receipt>) {
        let Err(error) = self.ingest(&receipts).await else { return };
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "receipts cannot be stored; trying again");
        let engine = Arc::clone(self);
        self.background.spawn(async move {
            for pause in TRY_AFTER {
                sleep(pause).await;
                if engine.ingest(&receipts).await.is_ok() {
                    return;
                }
            }
        });
    }

    /// Returns `None` for somebody of another server, and for the bot.
    fn read_by(&self, receipt: &Receipt) -> Option<ReadUpTo> {
        let localpart = self.ids.user_localpart(&receipt.user)?.to_owned();
        Some(ReadUpTo { room: receipt.room.clone(), localpart, events: vec![receipt.event.clone()] })
    }

    /// Takes receipts over whose events are no known messages, by the messages before these events.
    async fn look_up(&self, unknown: Vec<ReadUpTo>) {
        for pause in LOOK_AFTER {
            sleep(pause).await;
            if let Err(error) = self.read_before(&unknown).await {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(error, "receipts whose events are unknown are not taken over");
            }
        }
    }

    async fn read_before(&self, unknown: &[ReadUpTo]) -> Result<()> {
        let mut known = Vec::with_capacity(unknown.len());
        for receipt in unknown {
            let Some(event) = receipt.events.first() else { continue };
            match self.events_up_to(&receipt.room, event).await {
                Ok(events) => known.push(ReadUpTo { events: events.to_vec(), ..receipt.clone() }),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(%event, error, "looking up the event of a receipt failed");
                }
            }
        }
        self.room_views.read_up_to(&known).await.map(drop)
    }

    /// Many readers name the same event: the homeserver is asked once.
    async fn events_up_to(&self, room: &RoomId, event: &EventId) -> Result<Arc<[EventId]>> {
        if let Some(known) = self.events_before.get(event) {
            return Ok(known);
        }
        let events: Arc<[EventId]> = self.timeline.up_to(room, event, EVENTS_BEFORE).await?.into();
        self.events_before.put(event.clone(), events.clone());
        Ok(events)
    }
}
