//! Latencies, in histograms that keep three digits.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest that is told apart from longer: ten minutes, in microseconds.
const LONGEST: u64 = 600_000_000;
/// So many tasks at once rarely wait for each other.
const SHARDS: usize = 16;

/// Latencies in microseconds.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Option<Histogram<u64>>);

impl Default for Latencies {
    fn default() -> Self {
        // The bounds are constants that the histogram accepts.
        Self(Histogram::new_with_bounds(1, LONGEST, 3).ok())
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST).max(1));
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if let (Some(histogram), Some(other)) = (&mut self.0, &other.0) {
            // Both have the same bounds.
            let _ = histogram.add(other);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// A quantile in milliseconds; 0 when nothing was recorded.
    pub(crate) fn quantile(&self, quantile: f64) -> f64 {
        self.0.as_ref().map_or(0.0, |histogram| histogram.value_at_quantile(quantile) as f64 / 1000.0)
    }

    /// The longest in milliseconds.
    pub(crate) fn max(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |histogram| histogram.max() as f64 / 1000.0)
    }
}

/// Latencies that many tasks record.
#[derive(Debug, Default)]
pub(crate) struct Shared([Mutex<Latencies>; SHARDS]);

impl Shared {
    /// The part in which the task with this number records.
    pub(crate) fn shard(&self, task: usize) -> MutexGuard<'_, Latencies> {
        self.0[task % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was recorded.
    pub(crate) fn total(&self) -> Latencies {
        let mut total = Latencies::default();
        for shard in 0..SHARDS {
            total.add(&self.shard(shard));
        }
        total
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for shard in 0..SHARDS {
            *self.shard(shard) = Latencies::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_milliseconds_and_keep_three_digits() {
        let shared = Shared::default();
        for micros in 1..=100_000 {
            shared.shard(micros).record(Duration::from_micros(micros as u64));
        }
        let total = shared.total();
        assert_eq!(total.count(), 100_000);
        assert!((total.quantile(0.5) - 50.0).abs() < 0.1, "{}", total.quantile(0.5));
        assert!((total.max() - 100.0).abs() < 0.2);
        shared.clear();
        assert_eq!(shared.total().count(), 0);
    }

    #[test]
    fn what_takes_longer_than_can_be_told_counts_as_the_longest() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_secs(100_000));
        assert_eq!(latencies.count(), 1);
        assert!(latencies.max() >= 599_000.0);
    }
}
