//! Counts failed attempts of this process to deliver notifications, by their reason.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::notification::reason;

/// The number of failed attempts for each reason.
#[derive(Default)]
pub(crate) struct DeliveryFailures([AtomicU64; reason::ALL.len()]);

impl DeliveryFailures {
    /// Counts an attempt that failed for this reason, one of [`reason::ALL`].
    pub(crate) fn count(&self, reason: &str) {
        let mut counters = reason::ALL.iter().zip(&self.0);
        if let Some((_, counter)) = counters.find(|(name, _)| **name == reason) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns each reason with the number of its failed attempts.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        let counters = self.0.iter().map(|counter| counter.load(Ordering::Relaxed));
        reason::ALL.into_iter().zip(counters).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_under_its_own_name() {
        let failures = DeliveryFailures::default();
        for (n, reason) in reason::ALL.into_iter().enumerate() {
            (0..=n).for_each(|_| failures.count(reason));
        }
        failures.count("no reason at all");
        let counts: Vec<_> = failures.counts().into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7]);
    }
}
