//! Late echoes: if push does not bring a sent message soon, its room is read, once for all messages that wait
//! there.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    domain::{
        error::Result,
        id::{EventId, RoomId},
        room_event::RoomEvent,
    },
    live::{
        echoes::Echoes,
        follow_ups::{FollowUp, FollowUpQueue},
    },
    port::{self, Ports},
    sync::{backfill::Backfill, catch_up::CatchUp, ingest::Ingest, push::Push},
};

/// Time that push may take while the homeserver pushes nothing to this process.
const PUSH: Duration = Duration::from_millis(100);

/// Time that push may take while the homeserver pushes: under load a message waits for the transactions
/// before its own, and reading the room would add to the load. If a caller waits for the room, this time does
/// not apply.
const PUSH_UNDER_LOAD: Duration = Duration::from_millis(500);

/// The engine that ingests late echoes, and the messages that were sent while a room was created.
pub struct PendingEchoes {
    messages: Arc<dyn port::Messages>,
    ingest: Arc<Ingest>,
    catch_up: Arc<CatchUp>,
    backfill: Arc<Backfill>,
    push: Arc<Push>,
    echoes: Arc<Echoes>,
}

/// Echoes that are being read from their room. Dropping it ends the wait for them.
struct EchoRead<'e> {
    echoes: &'e Echoes,
    room: RoomId,
    ids: Vec<EventId>,
}

impl PendingEchoes {
    pub(crate) fn new(
        ports: &Ports,
        ingest: &Arc<Ingest>,
        catch_up: &Arc<CatchUp>,
        backfill: &Arc<Backfill>,
        push: &Arc<Push>,
        echoes: &Arc<Echoes>,
    ) -> Self {
        Self {
            messages: ports.messages.clone(),
            ingest: ingest.clone(),
            catch_up: catch_up.clone(),
            backfill: backfill.clone(),
            push: push.clone(),
            echoes: echoes.clone(),
        }
    }

    /// Works off the follow-ups of the use cases, side by side, until the queue ends.
    pub(crate) async fn run(self: Arc<Self>, mut queue: FollowUpQueue) {
        while let Some((work, token)) = queue.recv().await {
            let echoes = Arc::clone(&self);
            tokio::spawn(async move {
                match work {
                    FollowUp::Echo(event) => echoes.wait_or_read(*event).await,
                    FollowUp::Backfill(room) => echoes.backfill(&room).await,
                }
                drop(token);
            });
        }
    }

    /// Ingests a sent message unless push brings it soon.
    async fn wait_or_read(&self, RoomEvent { room_id: room, event_id: id, .. }: RoomEvent) {
        let sent = Instant::now();
        sleep(PUSH).await;
        while sent.elapsed() < PUSH_UNDER_LOAD
            && self.push.came_within(2 * PUSH)
            && self.echoes.is_unhurried(&room, &id)
        {
            sleep(PUSH).await;
        }
        let events = self.echoes.overdue(&room, &id);
        if events.is_empty() {
            return;
        }
        let ids = events.iter().map(|event| event.event_id.clone()).collect();
        let read = EchoRead { echoes: &self.echoes, room, ids };
        // The homeserver has these messages. After a failure, push or reconciliation brings them.
        if let Err(error) = self.ingest_missing(&read.room, events).await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(room = %read.room, error, "late echoes cannot be read; left to reconciliation");
        }
    }

    /// Ingests the messages that were sent and skipped while the service created a room. A message of this
    /// moment can come before them.
    async fn backfill(&self, room: &RoomId) {
        let ingested = match self.backfill.recent(room).await {
            Ok(events) => self.ingest.receive(events).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ingested {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(%room, error, "backfill of a created room failed; its first messages are in its history only");
        }
    }

    /// Ingests sent messages of a room unless another process has ingested them by push.
    async fn ingest_missing(&self, room: &RoomId, events: Vec<RoomEvent>) -> Result<()> {
        let mut missing = Vec::with_capacity(events.len());
        for event in events {
            if !self.messages.is_ingested(&event.event_id).await? {
                missing.push(event);
            }
        }
        if missing.is_empty() { Ok(()) } else { self.catch_up.ingest_own(room, missing).await }
    }
}

impl Drop for EchoRead<'_> {
    fn drop(&mut self) {
        self.echoes.wait_no_more(self.ids.iter().map(|id| (&self.room, id)));
    }
}
