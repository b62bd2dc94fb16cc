//! Read receipts: a message that a user has read with another Matrix client counts as read here, too.
//!
//! A receipt moves a read position forward, never backwards. It can name any event of the room. An event that
//! is no known message (a state event, an older one, or a message that has not arrived here yet) is looked up
//! at the homeserver once, in the background, and the receipt counts for the messages before it. Receipts of
//! threads other than `main` are ignored, since they do not cover the other messages of the room.

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

/// Most receipts of one database call.
const BATCH: usize = 200;

/// Pauses before unknown events are looked up; the second look-up is for messages that arrive late.
const LOOK_UP_AFTER: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(5)];

/// Pauses before the attempts to store pushed receipts again.
const RETRY_AFTER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(15), Duration::from_mins(1)];

/// Number of events that are read before an unknown event.
const EVENTS_BEFORE: u32 = 50;
/// Time for which an ingested receipt is remembered.
const RECEIPT_TTL: Duration = Duration::from_mins(1);

/// The engine that ingests read receipts.
pub struct Receipts {
    room_views: Arc<dyn port::RoomViews>,
    timeline: Arc<dyn port::Timeline>,
    ids: Arc<MatrixIds>,
    background: TaskTracker,
    /// Receipts that were ingested within [`RECEIPT_TTL`]: homeservers send the same by push and by `/sync`.
    known: Cache<Receipt, ()>,
    /// The events before an event that is no known message.
    events_before: Cache<EventId, Arc<[EventId]>>,
}

impl Receipts {
    pub(crate) fn new(ports: &Ports, ids: &Arc<MatrixIds>, background: &TaskTracker) -> Self {
        Self {
            room_views: ports.room_views.clone(),
            timeline: ports.timeline.clone(),
            ids: ids.clone(),
            background: background.clone(),
            known: Cache::with_ttl(RECEIPT_TTL),
            events_before: Cache::with_ttl(RECEIPT_TTL),
        }
    }

    /// Ingests receipts: moves the read positions of the users, and publishes them to the users' devices.
    /// Makes one database call for each 200 receipts, and none for receipts that were ingested a moment ago.
    ///
    /// # Errors
    /// If the database fails. Call again with the same receipts.
    #[tracing::instrument(level = "debug", skip_all, fields(receipts = receipts.len()))]
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

    /// Ingests pushed receipts, which the homeserver does not repeat: if the database fails, they are retried
    /// in the background.
    #[tracing::instrument(level = "debug", skip_all, fields(receipts = receipts.len()))]
    pub async fn ingest_pushed(self: &Arc<Self>, receipts: Vec<Receipt>) {
        let Err(error) = self.ingest(&receipts).await else { return };
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "receipts cannot be stored; retrying");
        let engine = Arc::clone(self);
        self.background.spawn(async move {
            for pause in RETRY_AFTER {
                sleep(pause).await;
                if engine.ingest(&receipts).await.is_ok() {
                    return;
                }
            }
        });
    }

    /// Returns the read position of a receipt. Returns `None` for a user of another server, and for the bot.
    fn read_by(&self, receipt: &Receipt) -> Option<ReadUpTo> {
        let localpart = self.ids.user_localpart(&receipt.user)?.to_owned();
        Some(ReadUpTo { room: receipt.room.clone(), localpart, events: vec![receipt.event.clone()] })
    }

    /// Ingests receipts whose events are no known messages, for the messages before these events.
    async fn look_up(&self, unknown: Vec<ReadUpTo>) {
        for pause in LOOK_UP_AFTER {
            sleep(pause).await;
            if let Err(error) = self.ingest_unknown(&unknown).await {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(error, "receipts of unknown events cannot be stored");
            }
        }
    }

    async fn ingest_unknown(&self, unknown: &[ReadUpTo]) -> Result<()> {
        let mut known = Vec::with_capacity(unknown.len());
        for receipt in unknown {
            let Some(event) = receipt.events.first() else { continue };
            match self.events_up_to(&receipt.room, event).await {
                Ok(events) => known.push(ReadUpTo { events: events.to_vec(), ..receipt.clone() }),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(%event, error, "event of a receipt cannot be looked up");
                }
            }
        }
        self.room_views.read_up_to(&known).await.map(drop)
    }

    /// Returns an event and those before it. Asks the homeserver once for each event, since many readers name
    /// the same one.
    async fn events_up_to(&self, room: &RoomId, event: &EventId) -> Result<Arc<[EventId]>> {
        if let Some(known) = self.events_before.get(event) {
            return Ok(known);
        }
        let events: Arc<[EventId]> = self.timeline.up_to(room, event, EVENTS_BEFORE).await?.into();
        self.events_before.put(event.clone(), events.clone());
        Ok(events)
    }
}
