//! Transactions that the homeserver pushes (Matrix specification, "Application Service API", "Pushing
//! events").
//!
//! Push is in order, but a homeserver that is killed can lose a transaction and push the next one after its
//! restart. A restarted homeserver comes with a new connection. Therefore a room's first push on a new
//! connection, and in a new process, is ingested only after everything that stands in the room since the
//! stored sync token. Later pushes on that connection cost nothing more.
//!
//! Conduit opens a connection for each push. A new connection right after the push before is no restart,
//! since a homeserver needs longer than that to start: it counts as the connection before.
//!
//! A proxy that keeps its own connections hides a restart. Then the reconciling worker ingests the events of
//! a lost push. They come after their successors if these are pushed before the worker reads, which takes a
//! quarter of a second, or some seconds if another worker takes over.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::{Instant, timeout};

use crate::{
    app::room_registry::RoomRegistry,
    domain::{
        error::{Failure, Result},
        id::{MatrixUserId, RoomId},
        matrix_ids::MatrixIds,
        room_event::RoomEvent,
    },
    live::{cache::Cache, lock::lock},
    port::{self, Ports},
    sync::{catch_up::CatchUp, ingest::Ingest},
};

/// Interval in which the time of the last push is stored.
const NOTE_INTERVAL: Duration = Duration::from_secs(2);

/// Time without a push after which push may be broken; or there are no events.
const SILENCE: Duration = Duration::from_secs(5);

/// Time limit for reading the events before a push: the homeserver waits for the answer to it.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Least time after which a killed homeserver pushes again.
const RESTART: Duration = Duration::from_millis(100);

/// The number of a connection of the homeserver; a later connection has a higher one.
pub type HomeserverConnection = u64;

/// The number of a run of the homeserver: the connections since its last possible restart.
type RunId = u64;

/// The engine that receives pushed transactions.
pub struct Push {
    reconciliation: Arc<dyn port::Reconciliation>,
    clock: Arc<dyn port::Clock>,
    ingest: Arc<Ingest>,
    catch_up: Arc<CatchUp>,
    registry: Arc<RoomRegistry>,
    ids: Arc<MatrixIds>,
    pushes: Pushes,
}

/// The pushes of the homeserver that this process knows of.
pub(crate) struct Pushes {
    state: Mutex<State>,
    /// The run in which each room was last caught up.
    caught_up_in_run: Cache<RoomId, RunId>,
}

#[derive(Default)]
struct State {
    /// The latest connection that brought a push.
    connection: HomeserverConnection,
    run: RunId,
    /// The time at which the last push came or was answered.
    last: Option<Instant>,
    noted: Option<Timestamp>,
}

impl Pushes {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), caught_up_in_run: Cache::without_ttl() }
    }

    /// Stores that a push came now, and returns the run of the homeserver to which its connection belongs.
    fn record_push(&self, connection: HomeserverConnection) -> RunId {
        let mut state = self.state();
        if connection > state.connection {
            state.connection = connection;
            if state.last.is_none_or(|last| last.elapsed() >= RESTART) {
                state.run += 1;
            }
        }
        state.last = Some(Instant::now());
        state.run
    }

    /// Returns whether a push came or was answered within this time.
    pub(crate) fn came_within(&self, time: Duration) -> bool {
        self.state().last.is_some_and(|last| last.elapsed() < time)
    }

    /// Notes that a push is being answered.
    fn answered(&self) {
        self.state().last = Some(Instant::now());
    }

    /// Returns the rooms of these events that were not caught up in this run. It leaves out rooms in which
    /// only the bot sent something: its notifications are in the event log already.
    fn to_catch_up(&self, run: RunId, events: &[RoomEvent], bot: &MatrixUserId) -> HashSet<RoomId> {
        let by_others = events.iter().filter(|event| event.sender != *bot).map(|event| &event.room_id);
        by_others.filter(|room| self.caught_up_in_run.get(room) != Some(run)).cloned().collect()
    }

    /// Returns whether the time of the last push is to be stored again.
    fn is_note_due(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let is_due = state.noted.is_none_or(|noted| now >= noted + NOTE_INTERVAL);
        if is_due {
            state.noted = Some(now);
        }
        is_due
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Push {
    pub(crate) fn new(
        ports: &Ports,
        ingest: &Arc<Ingest>,
        catch_up: &Arc<CatchUp>,
        registry: &Arc<RoomRegistry>,
        ids: &Arc<MatrixIds>,
    ) -> Self {
        Self {
            reconciliation: ports.reconciliation.clone(),
            clock: ports.clock.clone(),
            ingest: ingest.clone(),
            catch_up: catch_up.clone(),
            registry: registry.clone(),
            ids: ids.clone(),
            pushes: Pushes::new(),
        }
    }

    /// Returns whether a push came or was answered within this time.
    pub(crate) fn came_within(&self, time: Duration) -> bool {
        self.pushes.came_within(time)
    }

    /// Ingests a pushed transaction. `connection` brought it; `None` if that is unknown: then all
    /// transactions count as those of one connection, and a lost push is left to reconciliation.
    ///
    /// # Errors
    /// Those of [`Ingest::receive`]. The homeserver pushes the transaction again.
    #[tracing::instrument(level = "debug", skip_all, fields(?connection, events = events.len()))]
    pub async fn receive(
        &self,
        connection: Option<HomeserverConnection>,
        events: Vec<RoomEvent>,
    ) -> Result<()> {
        let run = self.pushes.record_push(connection.unwrap_or_default());
        for room in self.pushes.to_catch_up(run, &events, &self.ids.bot()) {
            let pushed = events.iter().filter(|event| event.room_id == room).cloned().collect();
            if self.catch_up_before(&room, pushed).await {
                self.pushes.caught_up_in_run.put(room, run);
            }
        }
        self.ingest.receive(events).await?;
        self.pushes.answered();
        if self.pushes.is_note_due(self.clock.now())
            && let Err(error) = self.reconciliation.note_push().await
        {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "push was ingested, but its time cannot be stored");
        }
        Ok(())
    }

    /// Returns whether the homeserver has pushed nothing for five seconds: it may be waiting before its next
    /// attempt.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn is_silent(&self) -> Result<bool> {
        Ok(self.reconciliation.since_push().await?.is_none_or(|silent| silent >= SILENCE))
    }

    /// Ingests the events of a room before the pushed ones. Returns `false` if the next push is to try it
    /// again. The push itself is not rejected, since Conduit would then push nothing for half a minute.
    async fn catch_up_before(&self, room: &RoomId, mut pushed: Vec<RoomEvent>) -> bool {
        let catching_up = async {
            // An unknown room is adopted together with its earlier events.
            match self.registry.tenant_of(room).await? {
                Some(_) => self.catch_up.catch_up(room, &mut pushed).await,
                None => Ok(()),
            }
        };
        match timeout(CATCH_UP, catching_up).await {
            Ok(Ok(())) => true,
            // The bot was removed from the room.
            Ok(Err(error)) if error.failure() == Some(Failure::Rejected) => true,
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%room, error, "events before a push cannot be read; left to reconciliation");
                false
            }
            Err(_) => {
                tracing::warn!(%room, "reading the events before a push took too long; left to reconciliation");
                false
            }
        }
    }
}
