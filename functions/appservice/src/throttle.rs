//! The push throttle: a minimum interval between the responses to transactions.
//!
//! The homeserver sends one transaction at a time and collects the events that happen meanwhile. Under load,
//! a delayed response makes the next transaction larger, so that each event costs both servers less.

use std::{sync::Mutex, time::Duration};

use messenger_core::lock;
use tokio::time::{Instant, sleep_until};

/// The shortest interval between two responses, which delays the events sent in it. It is not noticeable in a
/// chat.
const INTERVAL: Duration = Duration::from_millis(20);

/// The time at which the next response is due.
pub(crate) struct PushThrottle(Mutex<Instant>);

impl PushThrottle {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Waits until a response is due, or until `hurry` completes. After a pause it is due at once.
    pub(crate) async fn wait(&self, hurry: impl Future<Output = ()>) {
        let now = Instant::now();
        let due = {
            let mut next = lock(&self.0);
            let due = (*next).clamp(now, now + INTERVAL);
            *next = due + INTERVAL;
            due
        };
        tokio::select! {
            () = sleep_until(due) => {}
            () = hurry => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn responses_keep_the_interval_unless_a_sender_hurries() {
        let (throttle, begin) = (PushThrottle::new(), Instant::now());
        throttle.wait(pending()).await;
        assert_eq!(begin.elapsed(), Duration::ZERO, "the first response is due at once");
        throttle.wait(pending()).await;
        throttle.wait(pending()).await;
        assert_eq!(begin.elapsed(), 2 * INTERVAL);
        throttle.wait(ready(())).await;
        assert_eq!(begin.elapsed(), 2 * INTERVAL);
        tokio::time::advance(10 * INTERVAL).await;
        throttle.wait(pending()).await;
        assert_eq!(begin.elapsed(), 12 * INTERVAL, "after a pause a response is due at once");
    }
}
