//! Latencies, in histograms with three significant digits.
use std::sync::Mutex;
use std::time::Duration;

use hdrhistogram::Histogram;
use messenger_devstack::lock;

/// The longest latency that a histogram distinguishes: ten minutes, in microseconds.
const LONGEST: u64 = 600_000_000;
/// Histograms of [`SharedLatencies`], so that concurrent tasks rarely wait for each other.
const SHARDS: usize = 16;

/// Latencies in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram accepts")]
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).expect("valid bounds"))
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST).max(1));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0 += &other.0;
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// Returns a quantile in milliseconds; 0 if nothing was recorded.
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// Returns the median in milliseconds; 0 if nothing was recorded.
    pub fn p50(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Returns the longest in milliseconds; 0 if nothing was recorded.
    pub fn max(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }
}

/// Latencies that many tasks record.
#[derive(Debug, Default)]
pub struct SharedLatencies([Mutex<Latencies>; SHARDS]);

impl SharedLatencies {
    /// Records a latency of the task with this number.
    pub fn record(&self, task: usize, latency: Duration) {
        lock(&self.0[task % SHARDS]).record(latency);
    }

    /// Removes all latencies and returns them.
    pub fn take(&self) -> Latencies {
        let mut total = Latencies::default();
        for shard in &self.0 {
            total.add(&std::mem::take(&mut *lock(shard)));
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_milliseconds_with_three_digits() {
        let shared = SharedLatencies::default();
        for micros in 1..=100_000 {
            shared.record(micros, Duration::from_micros(micros as u64));
        }
        let total = shared.take();
        assert_eq!(total.count(), 100_000);
        assert!((total.p50() - 50.0).abs() < 0.1, "{}", total.p50());
        assert!((total.max() - 100.0).abs() < 0.2);
        assert_eq!(shared.take().count(), 0);
    }

    #[test]
    fn a_latency_beyond_the_bound_counts_as_the_longest() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_secs(100_000));
        assert_eq!(latencies.count(), 1);
        assert!(latencies.max() >= 599_000.0);
    }
}
