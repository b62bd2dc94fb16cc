//! Quarantine: the events of a room whose homeserver calls fail are held back, in order, and other rooms are
//! not delayed. After two minutes the service skips the failing call and continues.
//!
//! The two minutes begin with the first failure, and end with a success about the same subject: the call that
//! failed is repeated and succeeds. A success about another event of the room ends nothing, since a failing
//! call can stand between calls that succeed. Once a call was skipped, every failing call about the room is
//! skipped at once until fifteen minutes after the first failure; otherwise each event of a room that stays
//! broken would take two minutes of its own.
//!
//! A time-out counts, too, so that a room that is always too slow is not waited for without limit. But it
//! delays the other rooms as well, since it is mostly the whole homeserver that is slow.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::{
        error::{Error, Failure, Result, System},
        id::{EventId, RoomId},
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
    /// The failure itself if it may concern all rooms: a call timed out, the homeserver is unreachable, or the
    /// database fails.
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

/// The subject of homeserver calls about a room. A call that is repeated has the same subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// One event.
    Event(EventId),
    /// The events since the sync token.
    Gap,
    /// The last pages of the room.
    LastPages,
    /// The adoption of the room.
    Adoption,
}

/// The first failure since which calls about a room fail.
#[derive(Debug, Clone)]
struct FirstFailure {
    subject: Subject,
    at: Timestamp,
}

/// The rooms whose homeserver calls fail.
pub struct RoomFailures {
    clock: Arc<dyn Clock>,
    first: Cache<RoomId, FirstFailure>,
}

impl RoomFailures {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self { clock: ports.clock.clone(), first: Cache::with_ttl(QUARANTINED_FOR) }
    }

    /// Returns the result of homeserver calls about one room, or `None` if such calls have failed for so long
    /// that the caller has to skip these.
    ///
    /// # Errors
    /// The failure itself, as long as the caller has to repeat the calls.
    pub(crate) fn tolerate<T>(
        &self,
        room: &RoomId,
        subject: Subject,
        result: Result<T>,
    ) -> Result<Option<T>> {
        let first = self.first.get(room);
        let error = match result {
            Err(error) if may_be_of_one_room(&error) => error,
            Err(error) => return Err(error),
            Ok(value) => {
                if first.is_some_and(|first| first.subject == subject) {
                    self.first.remove(room);
                }
                return Ok(Some(value));
            }
        };
        let now = self.clock.now();
        let Some(first) = first else {
            self.first.put(room.clone(), FirstFailure { subject, at: now });
            return Err(error);
        };
        if now < first.at + QUARANTINE_MAX {
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

/// Returns whether a failure may concern one room only: also a time-out, which mostly concerns the
/// homeserver.
fn may_be_of_one_room(error: &Error) -> bool {
    is_of_one_room(error) || error.failure() == Some(Failure::TimedOut)
}
