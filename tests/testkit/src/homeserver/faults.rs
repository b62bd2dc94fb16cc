//! Faults of the homeserver that a test can inject.

use std::{collections::HashMap, time::Duration};

use messenger_core::{error::Failure, id::RoomId};

use super::MemoryHomeserver;

#[derive(Default)]
pub(super) struct Faults {
    is_off: bool,
    request_delay: Duration,
    response_delay: Duration,
    calls: u64,
    planned: HashMap<u64, Planned>,
    rejected: Vec<String>,
    failing_rooms: HashMap<RoomId, Failure>,
}

#[derive(Clone, Copy)]
enum Planned {
    Fail(Failure),
    LoseResponse,
}

/// The faults of one call.
#[derive(Default)]
pub(super) struct CallPlan {
    pub(super) failure: Option<Failure>,
    pub(super) loses_response: bool,
    pub(super) request_delay: Duration,
    pub(super) response_delay: Duration,
}

impl MemoryHomeserver {
    /// Makes every call fail at once from now on, as if the homeserver were unreachable.
    pub fn switch_off(&self) {
        self.state().faults.is_off = true;
    }

    /// Ends the effect of [`switch_off`](Self::switch_off).
    pub fn switch_on(&self) {
        self.state().faults.is_off = false;
    }

    /// Delays every call from now on before it acts. Sleeps in tokio's time, which tests pause.
    pub fn delay_requests(&self, delay: Duration) {
        self.state().faults.request_delay = delay;
    }

    /// Delays the response of every call from now on, after the call has acted.
    pub fn delay_responses(&self, delay: Duration) {
        self.state().faults.response_delay = delay;
    }

    /// Makes the n-th call from now fail without an effect; 1 is the next call.
    pub fn fail_call(&self, nth: u64, failure: Failure) {
        self.plan(nth, Planned::Fail(failure));
    }

    /// Loses the response of the n-th call from now, after the call has acted; 1 is the next call.
    pub fn lose_response(&self, nth: u64) {
        self.plan(nth, Planned::LoseResponse);
    }

    /// Rejects each message that contains this text.
    pub fn reject(&self, text: &str) {
        self.state().faults.rejected.push(text.to_owned());
    }

    /// Makes every call about this room fail from now on.
    pub fn fail_room(&self, room: &RoomId, failure: Failure) {
        self.state().faults.failing_rooms.insert(room.clone(), failure);
    }

    /// Ends the effect of [`fail_room`](Self::fail_room).
    pub fn heal_room(&self, room: &RoomId) {
        self.state().faults.failing_rooms.remove(room);
    }

    /// Returns the number of calls so far.
    pub fn calls(&self) -> u64 {
        self.state().faults.calls
    }

    fn plan(&self, nth: u64, planned: Planned) {
        let faults = &mut self.state().faults;
        faults.planned.insert(faults.calls + nth, planned);
    }
}

impl Faults {
    /// Counts a call and returns its faults.
    pub(super) fn next_call(&mut self) -> CallPlan {
        self.calls += 1;
        if self.is_off {
            return CallPlan { failure: Some(Failure::Unreachable), ..CallPlan::default() };
        }
        let planned = self.planned.remove(&self.calls);
        CallPlan {
            failure: match planned {
                Some(Planned::Fail(failure)) => Some(failure),
                _ => None,
            },
            loses_response: matches!(planned, Some(Planned::LoseResponse)),
            request_delay: self.request_delay,
            response_delay: self.response_delay,
        }
    }

    pub(super) fn check(&self, room: &RoomId) -> Result<(), Failure> {
        self.failing_rooms.get(room).map_or(Ok(()), |failure| Err(*failure))
    }

    pub(super) fn rejects(&self, body: &str) -> bool {
        self.rejected.iter().any(|text| body.contains(text.as_str()))
    }
}
