//! Quarantine: the events of a room whose homeserver calls fail are held back, in order, and other rooms are
//! not delayed. After two minutes the service skips the failing call and continues.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::{
        error::{Error, Failure, Result, System},
        id::RoomId,
    },
    live::cache::Cache,
    port::{Clock, Ports},
};

/// Time for which the first failure of a room is kept; longer than the pause before the homeserver pushes
/// again.
const QUARANTINED_FOR: Duration = Duration::from_mins(15);
/// Most time for which the events of a room are held back.
const QUARANTINE_MAX: Duration = Duration::from_mins(2);

/// The rooms whose events one call holds back.
#[derive(Default)]
pub(crate) struct Quarantine {
    rooms: HashSet<RoomId>,
    first: Option<Error>,
}

impl Quarantine {
    /// Holds the room's events back if the failure concerns this room only.
    ///
    /// # Errors
    /// The failure itself if it concerns all rooms: the homeserver is unreachable, or the database fails.
    pub(crate) fn hold(&mut self, room: &RoomId, error: Error) -> Result<()> {
        if !is_of_one_room(&error) {
            return Err(error);
        }
        self.rooms.insert(room.clone());
        self.first.get_or_insert(error);
        Ok(())
    }

    /// Returns whether the next events of this room have to be held back, too.
    pub(crate) fn holds(&self, room: &RoomId) -> bool {
        self.rooms.contains(room)
    }

    /// Returns the first failure as an error.
    pub(crate) fn into_result(self) -> Result<()> {
        self.first.map_or(Ok(()), Err)
    }
}

/// The rooms whose homeserver calls fail, with the time of the first failure.
pub struct RoomFailures {
    clock: Arc<dyn Clock>,
    quarantined_since: Cache<RoomId, Timestamp>,
}

impl RoomFailures {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self { clock: ports.clock.clone(), quarantined_since: Cache::with_ttl(QUARANTINED_FOR) }
    }

    /// Returns the result of homeserver calls about one room. Returns `None` if they have failed for so long
    /// that the caller has to skip them.
    pub(crate) fn in_time<T>(&self, room: &RoomId, result: Result<T>) -> Result<Option<T>> {
        let error = match result {
            Err(error) if is_of_one_room(&error) || error.failure() == Some(Failure::TimedOut) => error,
            result => return result.map(Some),
        };
        // A success does not end the quarantine, since it may belong to another event of the room.
        let now = self.clock.now();
        let Some(since) = self.quarantined_since.get(room) else {
            self.quarantined_since.put(room.clone(), now);
            return Err(error);
        };
        if now < since + QUARANTINE_MAX {
            return Err(error);
        }
        let error: &dyn std::error::Error = &error;
        tracing::error!(%room, error, "homeserver calls for a room keep failing; skipped");
        Ok(None)
    }
}

/// Returns whether a failure concerns one room, not the whole homeserver or the database.
fn is_of_one_room(error: &Error) -> bool {
    let Error::Fault(fault) = error else { return false };
    fault.system == System::Homeserver && matches!(fault.failure, Failure::Broken | Failure::Rejected)
}
