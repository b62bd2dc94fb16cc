//! Quarantine: the events of a room whose homeserver calls fail are held back, in order, and other rooms are not delayed.
//! After two minutes the service goes on without the answer.

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

/// How long it is known since when the homeserver has failed over a room: longer than it waits before it pushes again.
const QUARANTINED_FOR: Duration = Duration::from_mins(15);
/// How long a failure of the homeserver over one room may last.
const PATIENCE: Duration = Duration::from_mins(2);

/// The rooms that wait.
#[derive(Default)]
pub(crate) struct Quarantine {
    rooms: HashSet<RoomId>,
    first: Option<Error>,
}

impl Quarantine {
    /// Lets the room wait, if the failure is its own. A homeserver that is away, and a database, fail everybody.
    pub(crate) fn hold(&mut self, room: &RoomId, error: Error) -> Result<()> {
        if !is_of_one_room(&error) {
            return Err(error);
        }
        self.rooms.insert(room.clone());
        self.first.get_or_insert(error);
        Ok(())
    }

    /// Whether what comes next in this room has to wait, too.
    pub(crate) fn holds(&self, room: &RoomId) -> bool {
        self.rooms.contains(room)
    }

    /// What was first in the way, if anything was.
    pub(crate) fn into_result(self) -> Result<()> {
        self.first.map_or(Ok(()), Err)
    }
}

/// The rooms whose homeserver calls fail, and since when.
pub struct RoomFailures {
    clock: Arc<dyn Clock>,
    quarantined_since: Cache<RoomId, Timestamp>,
}

impl RoomFailures {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self { clock: ports.clock.clone(), quarantined_since: Cache::with_ttl(QUARANTINED_FOR) }
    }

    /// The outcome of what was asked about one room. `None`: it has failed for so long that it is passed over.
    pub(crate) fn in_time<T>(&self, room: &RoomId, result: Result<T>) -> Result<Option<T>> {
        let error = match result {
            Err(error) if is_of_one_room(&error) || error.failure() == Some(Failure::TimedOut) => error,
            result => return result.map(Some),
        };
        // Not ended by a success: another event of the room may be read at any time.
        let now = self.clock.now();
        let Some(since) = self.quarantined_since.get(room) else {
            self.quarantined_since.put(room.clone(), now);
            return Err(error);
        };
        if now < since + PATIENCE {
            return Err(error);
        }
        let error: &dyn std::error::Error = &error;
        tracing::error!(%room, error, "the homeserver fails over a room: what was asked about it is passed over");
        Ok(None)
    }
}

fn is_of_one_room(error: &Error) -> bool {
    let Error::Fault(fault) = error else { return false };
    fault.system == System::Homeserver && matches!(fault.failure, Failure::Broken | Failure::Rejected)
}
