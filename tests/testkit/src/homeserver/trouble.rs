//! What can be wrong with the homeserver.

use std::{collections::HashMap, time::Duration};

use messenger_core::{error::Failure, id::RoomId};

use super::MemoryHomeserver;

#[derive(Default)]
pub(super) struct Trouble {
    off: bool,
    before: Duration,
    after: Duration,
    calls: u64,
    planned: HashMap<u64, Planned>,
    refused: Vec<String>,
    quarantine: HashMap<RoomId, Failure>,
}

#[derive(Clone, Copy)]
enum Planned {
    Fail(Failure),
    LoseAnswer,
}

/// How one call goes.
#[derive(Default)]
pub(super) struct Course {
    pub(super) failure: Option<Failure>,
    pub(super) answer_lost: bool,
    pub(super) before: Duration,
    pub(super) after: Duration,
}

impl MemoryHomeserver {
    /// From now on every call fails at once.
    pub fn switch_off(&self) {
        self.state().trouble.off = true;
    }

    /// It is back.
    pub fn switch_on(&self) {
        self.state().trouble.off = false;
    }

    /// From now on every call takes so long before it does anything. Sleeps in tokio's time, which tests pause.
    pub fn act_late(&self, delay: Duration) {
        self.state().trouble.before = delay;
    }

    /// From now on every call does its work at once, and answers so much later.
    pub fn answer_late(&self, delay: Duration) {
        self.state().trouble.after = delay;
    }

    /// The n-th call from now fails and does nothing; 1 is the next one.
    pub fn fail_call(&self, nth: u64, failure: Failure) {
        self.plan(nth, Planned::Fail(failure));
    }

    /// The n-th call from now does its work, but its answer is lost; 1 is the next one.
    pub fn lose_answer(&self, nth: u64) {
        self.plan(nth, Planned::LoseAnswer);
    }

    /// Refuses for good what contains this text.
    pub fn refuse(&self, text: &str) {
        self.state().trouble.refused.push(text.to_owned());
    }

    /// From now on every call about this room fails.
    pub fn fail_room(&self, room: &RoomId, failure: Failure) {
        self.state().trouble.quarantine.insert(room.clone(), failure);
    }

    /// They do not any more.
    pub fn heal_room(&self, room: &RoomId) {
        self.state().trouble.quarantine.remove(room);
    }

    /// How many calls there have been.
    pub fn calls(&self) -> u64 {
        self.state().trouble.calls
    }

    fn plan(&self, nth: u64, planned: Planned) {
        let trouble = &mut self.state().trouble;
        trouble.planned.insert(trouble.calls + nth, planned);
    }
}

impl Trouble {
    /// Counts a call and says how it goes.
    pub(super) fn next_call(&mut self) -> Course {
        self.calls += 1;
        if self.off {
            return Course { failure: Some(Failure::Unreachable), ..Course::default() };
        }
        let planned = self.planned.remove(&self.calls);
        Course {
            failure: match planned {
                Some(Planned::Fail(failure)) => Some(failure),
                _ => None,
            },
            answer_lost: matches!(planned, Some(Planned::LoseAnswer)),
            before: self.before,
            after: self.after,
        }
    }

    pub(super) fn check(&self, room: &RoomId) -> Result<(), Failure> {
        self.quarantine.get(room).map_or(Ok(()), |failure| Err(*failure))
    }

    pub(super) fn refuses(&self, body: &str) -> bool {
        self.refused.iter().any(|text| body.contains(text.as_str()))
    }
}
