//! Waiting for effects of the service.

use std::time::Duration;

use messenger_devstack::environment::setting;
use tokio::time::{Instant, sleep};

/// The longest that an effect may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(50);

/// Looks until there is a value, and returns it.
pub async fn eventually<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "the expected state did not come in time");
        sleep(PAUSE).await;
    }
}

/// Waits until a condition holds, which `expected` names for the failure.
pub async fn wait_until(expected: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not in time: {expected}");
        sleep(PAUSE).await;
    }
}

/// Returns the number of rounds of a test that repeats itself: that of `MESSENGER_TEST_ROUNDS`, or this one.
pub fn rounds(default: usize) -> usize {
    setting("MESSENGER_TEST_ROUNDS").and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}
