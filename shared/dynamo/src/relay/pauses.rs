//! Pauses between attempts, each twice as long as the one before, with jitter.

use std::time::Duration;

use tokio::time::sleep;

/// The longest pause.
const MOST: Duration = Duration::from_secs(5);

/// The pauses of a series of attempts.
pub(super) struct Pauses {
    first: Duration,
    next: Duration,
}

impl Pauses {
    pub(super) fn new(first: Duration) -> Self {
        Self { first, next: first }
    }

    /// Begins with the first pause again.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }

    /// Awaits the next pause.
    pub(super) async fn next(&mut self) {
        sleep(self.next.mul_f64(rand::random_range(0.5..1.0))).await;
        self.next = (self.next * 2).min(MOST);
    }
}
