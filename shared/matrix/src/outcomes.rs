//! Counts the calls of this process to the homeserver, by their outcome.

use std::sync::atomic::{AtomicU64, Ordering};

use messenger_core::error::Failure;

use crate::error::Cause;

/// The outcomes of a call.
const OUTCOMES: [&str; 6] = ["success", "rejected", "limited", "unreachable", "timed_out", "failed"];

/// The number of calls for each outcome.
#[derive(Default)]
pub(crate) struct CallOutcomes([AtomicU64; OUTCOMES.len()]);

impl CallOutcomes {
    /// Counts a call by the head of its response.
    pub(crate) fn count<T>(&self, result: &Result<T, Cause>) {
        let outcome = match result {
            Ok(_) => "success",
            Err(cause) => match cause.failure() {
                Failure::Rejected => "rejected",
                Failure::Limited(_) => "limited",
                Failure::Unreachable => "unreachable",
                Failure::TimedOut => "timed_out",
                Failure::Broken | Failure::UnknownToken => "failed",
            },
        };
        let mut counters = OUTCOMES.iter().zip(&self.0);
        if let Some((_, counter)) = counters.find(|(name, _)| **name == outcome) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns each outcome with the number of its calls.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counters = self.0.iter().map(|counter| counter.load(Ordering::Relaxed));
        OUTCOMES.into_iter().zip(counters).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_counted_under_its_outcome() {
        let outcomes = CallOutcomes::default();
        outcomes.count(&Ok(()));
        outcomes.count(&Ok("another"));
        outcomes.count::<()>(&Err(Cause::TimedOut));
        let counted: Vec<_> = outcomes.counts().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("success", 2), ("timed_out", 1)]);
    }
}
