//! One value that is read again after some time only.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

/// A value that is read again after some time only. Concurrent callers share one reading.
pub(crate) struct Cached<T> {
    ttl: Duration,
    last: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Cached<T> {
    /// Creates a value that is read again after `ttl`.
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, last: Mutex::new(None) }
    }

    /// Returns the last value, or reads it if it is too old. An error is not kept.
    pub(crate) async fn get<E>(&self, read: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut last = self.last.lock().await;
        if let Some((at, value)) = &*last
            && at.elapsed() < self.ttl
        {
            return Ok(value.clone());
        }
        let value = read.await?;
        *last = Some((Instant::now(), value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_value_is_read_again_after_its_time_and_an_error_is_not_kept() {
        let cached = Cached::new(Duration::from_secs(5));
        assert_eq!(cached.get(async { Err::<u8, _>("away") }).await, Err("away"));
        assert_eq!(cached.get(async { Ok::<_, &str>(1) }).await, Ok(1));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(cached.get(async { Ok::<_, &str>(2) }).await, Ok(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cached.get(async { Ok::<_, &str>(3) }).await, Ok(3));
    }
}
