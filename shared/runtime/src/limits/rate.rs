//! Rate limits by key (GCRA, the leaky bucket of ITU-T I.371).

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::sync::Cache;
use tokio::time::Instant;

/// Most keys that are kept. Beyond it, the least used keys are evicted first.
const KEYS: u64 = 50_000;

/// A limit of `count` per period for each key. A key that was idle for a period may use a whole period's
/// count at once.
///
/// There is one atomic number per key, and no lock that two keys share. Memory is bounded: a key that is idle
/// for a period is evicted, which changes nothing, since its bucket is full again.
pub(crate) struct Rate {
    quota: Option<Quota>,
    /// Theoretical arrival times, in nanoseconds since `begun`, by the hash of the key.
    arrivals: Cache<u64, Arc<AtomicU64>>,
    begun: Instant,
    hasher: RandomState,
}

#[derive(Clone, Copy)]
struct Quota {
    /// The nanoseconds that one costs.
    cost: u64,
    /// The nanoseconds that may be used at once.
    period: u64,
}

impl Rate {
    /// Returns a limit of `count` per `period`; zero is no limit.
    pub(crate) fn new(count: u32, period: Duration) -> Self {
        let nanoseconds = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX / 4);
        let quota = nanoseconds.checked_div(u64::from(count)).map(|cost| Quota { cost, period: nanoseconds });
        let arrivals = Cache::builder().max_capacity(KEYS).time_to_idle(period.saturating_mul(2)).build();
        Self { quota, arrivals, begun: Instant::now(), hasher: RandomState::new() }
    }

    /// Returns whether there is no limit.
    pub(crate) fn is_off(&self) -> bool {
        self.quota.is_none()
    }

    /// Takes one. If none is left, takes nothing and returns the time until there is one again.
    pub(crate) fn take(&self, key: impl Hash) -> Result<(), Duration> {
        let Some(quota) = self.quota else { return Ok(()) };
        let now = self.now();
        let arrival = self.arrivals.get_with(self.hasher.hash_one(key), Arc::default);
        let taken = arrival.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |arrival| {
            let next = arrival.max(now) + quota.cost;
            (next <= now + quota.period).then_some(next)
        });
        taken.map(drop).map_err(|arrival| quota.wait(arrival, now))
    }

    /// Checks whether one is left. If not, returns the time until there is one again.
    pub(crate) fn check(&self, key: impl Hash) -> Result<(), Duration> {
        let Some(quota) = self.quota else { return Ok(()) };
        let Some(arrival) = self.arrivals.get(&self.hasher.hash_one(key)) else { return Ok(()) };
        let (arrival, now) = (arrival.load(Ordering::Relaxed), self.now());
        if arrival.max(now) + quota.cost <= now + quota.period {
            Ok(())
        } else {
            Err(quota.wait(arrival, now))
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX / 2)
    }
}

impl Quota {
    fn wait(self, arrival: u64, now: u64) -> Duration {
        Duration::from_nanos((arrival.max(now) + self.cost).saturating_sub(now + self.period))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_key_may_use_the_count_of_a_period_at_once_and_then_one_at_a_time() {
        let rate = Rate::new(6, MINUTE);
        for _ in 0..6 {
            assert_eq!(rate.take("a"), Ok(()));
        }
        assert_eq!(rate.take("a"), Err(Duration::from_secs(10)));
        assert_eq!(rate.check("a"), Err(Duration::from_secs(10)), "a refused attempt costs nothing");
        assert_eq!(rate.take("b"), Ok(()), "another key has a bucket of its own");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!((rate.check("a"), rate.take("a")), (Ok(()), Ok(())));
        assert_eq!(rate.take("a"), Err(Duration::from_secs(10)));
        tokio::time::advance(MINUTE * 10).await;
        for _ in 0..6 {
            assert_eq!(rate.take("a"), Ok(()), "no more than a period is saved up");
        }
        assert!(rate.take("a").is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let rate = Rate::new(0, MINUTE);
        assert!(rate.is_off() && (0..10_000).all(|_| rate.take("a").is_ok()));
    }

    #[test]
    fn memory_is_bounded_whatever_the_number_of_keys() {
        let rate = Rate::new(6, MINUTE);
        for key in 0..2 * KEYS {
            let _ = rate.take(key);
        }
        rate.arrivals.run_pending_tasks();
        assert!(rate.arrivals.entry_count() <= KEYS);
    }
}
