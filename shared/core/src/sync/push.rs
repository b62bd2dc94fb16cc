//! Transactions that the homeserver pushes (Matrix specification, "Application Service API", "Pushing events").
//!
//! Push is in order, but a homeserver that is killed can lose a transaction and push the next one after its restart. A
//! restarted homeserver comes with a new connection. Therefore a room's first push on a new connection, and in a new
//! process, is ingested only after everything that stands in the room since the reconciled position. Later pushes on
//! that connection cost nothing more.
//!
//! Conduit opens a connection for each push. A new connection right after the push before is no restart, since a
//! homeserver needs longer than that to start: it counts as the connection before.
//!
//! A proxy that keeps its own connections hides this. Then an event whose push was lost is ingested by the reconciling
//! worker, after its successors if these were pushed within the quarter of a second that the worker takes, or within the
//! seconds in which another worker takes over.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    live::cache::Cache,
    port::{self, Ports},
    sync::{catch_up::CatchUp, ingest::Ingest},
};

/// Interval in which the time of the last push is stored.
const NOTE: Duration = Duration::from_secs(2);

/// A homeserver that has not pushed for this long may be unable to, or have nothing to tell.
const SILENCE: Duration = Duration::from_secs(5);

/// Time limit for reading the events before a push: the homeserver waits for our answer.
const CATCH_UP: Duration = Duration::from_secs(5);

/// Least time in which a homeserver that was killed pushes again.
const RESTART: Duration = Duration::from_millis(100);

/// A connection of the homeserver: a later one has a higher number.
pub type HomeserverConnection = u64;

/// A number for the connections that the homeserver has used since its last possible restart.
type RunId = u64;

/// Receives pushed transactions.
pub struct Push {
    reconciliation: Arc<dyn port::Reconciliation>,
    clock: Arc<dyn port::Clock>,
    ingest: Arc<Ingest>,
    catch_up: Arc<CatchUp>,
    registry: Arc<RoomRegistry>,
    ids: Arc<MatrixIds>,
    pushes: Pushes,
}

/// This process's memory of the homeserver's pushes.
pub(crate) struct Pushes {
    state: Mutex<State>,
    /// The rooms that were caught up with, by the run.
    caught_up: Cache<RoomId, RunId>,
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
        Self { state: Mutex::default(), caught_up: Cache::without_ttl() }
    }

    /// Returns the run of the homeserver to which a push belongs that came by this connection.
    fn run_of(&self, connection: HomeserverConnection) -> RunId {
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

    /// The rooms of these events that were not caught up with since the run began. A room in which only the bot
    /// acts is none: its notifications are in the log already.
    fn to_catch_up(&self, run: RunId, events: &[RoomEvent], bot: &MatrixUserId) -> HashSet<RoomId> {
        let by_others = events.iter().filter(|event| event.sender != *bot).map(|event| &event.room_id);
        by_others.filter(|room| self.caught_up.get(room) != Some(run)).cloned().collect()
    }

    /// Whether it is to be stored again that the homeserver pushes.
    fn is_to_be_noted(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let is_due = state.noted.is_none_or(|noted| now >= noted + NOTE);
        if is_due {
            state.noted = Some(now);
        }
        is_due
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Ingests a pushed transaction: see [`receive`](Self::receive). `connection` is the one by which it came; `None` if
    /// that is not known.
    pub async fn receive(
        &self,
        connection: Option<HomeserverConnection>,
        events: Vec<RoomEvent>,
    ) -> Result<()> {
        let run = self.pushes.run_of(connection.unwrap_or_default());
        for room in self.pushes.to_catch_up(run, &events, &self.ids.bot()) {
            let wanted = events.iter().filter(|event| event.room_id == room).cloned().collect();
            if self.catch_up_before(&room, wanted).await {
                self.pushes.caught_up.put(room, run);
            }
        }
        self.ingest.receive(events).await?;
        self.pushes.answered();
        if self.pushes.is_to_be_noted(self.clock.now())
            && let Err(error) = self.reconciliation.note_push().await
        {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "a push was ingested, but its time was not stored");
        }
        Ok(())
    }

    /// Whether the homeserver has pushed nothing for a while: it may be waiting before its next try.
    pub async fn is_silent(&self) -> Result<bool> {
        Ok(self.reconciliation.since_push().await?.is_none_or(|silent| silent >= SILENCE))
    }

    /// Ingests the events of a room before those that were pushed. `false`: another push is to try it again. No push is
    /// refused for this: Conduit would push nothing for half a minute then.
    async fn catch_up_before(&self, room: &RoomId, mut pushed: Vec<RoomEvent>) -> bool {
        let catching_up = async {
            // A room that is not ours yet is adopted with what was said in it.
            match self.registry.tenant_of(room).await? {
                Some(_) => self.catch_up.catch_up(room, &mut pushed).await,
                None => Ok(()),
            }
        };
        match timeout(CATCH_UP, catching_up).await {
            Ok(Ok(())) => true,
            // The bot was put out of it.
            Ok(Err(error)) if error.failure() == Some(Failure::Rejected) => true,
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%room, error, "the events before a push are left to reconciliation");
                false
            }
            Err(_) => {
                tracing::warn!(%room, "the events before a push are left to reconciliation: reading took too long");
                false
            }
        }
    }
}
