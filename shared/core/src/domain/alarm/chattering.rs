//! Detection of chattering alarms.

use jiff::{SignedDuration, Timestamp};

/// The number of activations that make an alarm chatter.
const ACTIVATIONS: usize = 3;

/// The time in which they happen.
const WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// The time without an activation after which an alarm no longer chatters.
const CALM: SignedDuration = SignedDuration::from_mins(10);

/// The activations of an alarm, by which it is found to chatter: to be active, normal and active again in
/// short succession (ISA-18.2, "chattering alarm").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chattering {
    /// The latest activations, oldest first.
    pub activations: Vec<Timestamp>,
    /// The time until which the alarm chatters; `None` if it never did.
    pub until: Option<Timestamp>,
}

impl Chattering {
    /// Returns whether the alarm chatters at this time.
    pub fn is_on(&self, at: Timestamp) -> bool {
        self.until.is_some_and(|until| at < until)
    }

    /// Records that the alarm became active.
    pub(super) fn record_activation(&mut self, at: Timestamp) {
        self.activations.push(at);
        let surplus = self.activations.len().saturating_sub(ACTIVATIONS);
        self.activations.drain(..surplus);
        let is_burst = self.activations.len() == ACTIVATIONS
            && self.activations.first().is_some_and(|first| at.duration_since(*first) <= WITHIN);
        if is_burst || self.is_on(at) {
            self.until = Some(at + CALM);
        }
    }
}
