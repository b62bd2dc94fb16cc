//! How often the homeserver is answered. It sends one transaction at a time and gathers meanwhile what happens, so under
//! load an answer that waits a little brings more with the next transaction, and each message costs both of us less.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// From one answer to the next, at least. It is the delay of what is said meanwhile, and not noticed in a chat.
const APART: Duration = Duration::from_millis(20);

/// When the homeserver is answered next.
pub(crate) struct PushThrottle(Mutex<Instant>);

impl PushThrottle {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Waits until an answer is due, or somebody hurries. After a pause it is due at once.
    pub(crate) async fn keep(&self, hurry: impl Future<Output = ()>) {
        let now = Instant::now();
        let due = {
            let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let due = (*next).clamp(now, now + APART);
            *next = due + APART;
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
    async fn answers_keep_apart_unless_somebody_hurries() {
        let (throttle, begin) = (PushThrottle::new(), Instant::now());
        throttle.keep(pending()).await;
        assert_eq!(begin.elapsed(), Duration::ZERO, "nothing came before it");
        throttle.keep(pending()).await;
        throttle.keep(pending()).await;
        assert_eq!(begin.elapsed(), 2 * APART);
        throttle.keep(ready(())).await;
        assert_eq!(begin.elapsed(), 2 * APART);
        tokio::time::advance(10 * APART).await;
        throttle.keep(pending()).await;
        assert_eq!(begin.elapsed(), 12 * APART, "after a pause it is due at once");
    }
}
