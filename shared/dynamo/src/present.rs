//! The copy that a process reads, with its database, if it has one.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use messenger_core::{
    Error, Result,
    error::Failure,
    id::Position,
    lock,
    port::{Clock, FeedCopyPorts, Relayed},
};
use tokio::time::sleep;

use crate::{
    error::fault,
    item::Keys,
    table::{Pointer, Table},
};

/// The time after which the id of the copy is read again. It changes when a database was restored.
const COPY_AGE: Duration = Duration::from_secs(5);
/// The longest time without a working relay for which a process without a database lets readers begin.
const UNATTENDED_MAX: Duration = Duration::from_mins(10);
/// The pauses between two looks at the head without signals: the first after an event, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const READING: &str = "reading the copy of the event log";

/// The copy that a process reads.
pub(crate) struct Present {
    table: Arc<Table>,
    pub(crate) beside: Beside,
    known: Mutex<Option<Known>>,
}

/// The other systems of a process that reads the copy.
pub(crate) enum Beside {
    Database(FeedCopyPorts),
    Nothing { installation: String, clock: Arc<dyn Clock>, polling: Mutex<PollingInterval> },
}

/// The last position that was waited for, and the pause.
#[derive(Default)]
pub(crate) struct PollingInterval {
    position: Position,
    pause: Duration,
}

/// A copy that was read.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) keys: Keys,
    pub(crate) is_complete: bool,
    /// The time at which the relay last worked; `None` where a database knows the copy.
    worked_at: Option<Timestamp>,
    since: Instant,
}

impl Present {
    pub(crate) fn new(table: Arc<Table>, beside: Beside) -> Self {
        Self { table, beside, known: Mutex::default() }
    }

    /// Returns the copy.
    pub(crate) async fn known(&self) -> Result<Known> {
        let known = lock(&self.known).clone();
        if let Some(known) = known.as_ref().filter(|known| known.since.elapsed() < COPY_AGE) {
            return Ok(known.clone());
        }
        let (keys, worked_at) = match &self.beside {
            Beside::Database(ports) => (Keys::new(&ports.copies.copy().await?.ok_or_else(incomplete)?), None),
            Beside::Nothing { installation, .. } => {
                let Pointer { keys, worked_at } =
                    self.table.pointer(installation).await?.ok_or_else(incomplete)?;
                (keys, Some(worked_at))
            }
        };
        let is_complete = known.is_some_and(|known| known.is_complete && known.keys == keys);
        let known = Known { keys, is_complete, worked_at, since: Instant::now() };
        *lock(&self.known) = Some(known.clone());
        Ok(known)
    }

    /// Notes that a copy is complete.
    pub(crate) fn note_complete(&self, keys: &Keys) {
        if let Some(known) = lock(&self.known).as_mut().filter(|known| known.keys == *keys) {
            known.is_complete = true;
        }
    }

    /// Returns the copy for a reader who begins. Without a database, a copy that no relay writes is
    /// refused: its rights and events would be out of date.
    pub(crate) async fn attended(&self) -> Result<Keys> {
        let known = self.known().await?;
        if let (Beside::Nothing { clock, .. }, Some(worked_at)) = (&self.beside, known.worked_at)
            && clock.now().duration_since(worked_at).unsigned_abs() > UNATTENDED_MAX
        {
            return Err(Error::not_ready(
                "no worker has copied the event log for some minutes: see to the worker, then try again",
            ));
        }
        Ok(known.keys)
    }

    /// Returns the last signal of a relay; `None` if there are no signals.
    pub(crate) fn last_relayed(&self) -> Option<Relayed> {
        match &self.beside {
            Beside::Database(ports) => ports.source.last_relayed(),
            Beside::Nothing { .. } => None,
        }
    }

    /// Waits until the copy may have events after a position, or until `patience` is over.
    pub(crate) async fn wait_beyond(&self, position: Position, patience: Duration) {
        match &self.beside {
            Beside::Database(ports) => ports.source.wait_relayed(position, patience).await,
            Beside::Nothing { polling, .. } => {
                let pause = lock(polling).next(position);
                sleep(pause.min(patience)).await;
            }
        }
    }
}

impl Beside {
    /// Returns that of a process without a database.
    pub(crate) fn nothing(installation: &str, clock: Arc<dyn Clock>) -> Self {
        Self::Nothing { installation: installation.to_owned(), clock, polling: Mutex::default() }
    }
}

impl PollingInterval {
    /// Returns the pause before the next look: short after events, and twice as long each time without one.
    fn next(&mut self, position: Position) -> Duration {
        let has_moved = std::mem::replace(&mut self.position, position) != position;
        self.pause = if has_moved { FIRST_PAUSE } else { (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE) };
        self.pause
    }
}

/// Returns the error of a copy that does not have all events yet.
pub(crate) fn incomplete() -> Error {
    fault(
        Failure::Unreachable,
        READING,
        "it is not complete yet: a worker with EVENT_STORE=dynamodb completes it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_read_often_while_events_come_and_once_a_second_otherwise() {
        let mut polling = PollingInterval::default();
        let pauses = [1, 1, 1, 1, 1, 1, 2, 2, 3].map(|position| polling.next(Position(position)).as_millis());
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000, 100, 200, 100]);
    }
}
