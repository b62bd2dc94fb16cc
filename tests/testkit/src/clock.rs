//! A clock that stands still until a test moves it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use messenger_core::{lock, port::Clock};

/// The time at which tests begin: 2026-01-01T06:00:00Z.
pub(crate) const START: Timestamp = Timestamp::constant(1_767_247_200, 0);

/// A settable clock. Clones show the same time.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Mutex<Timestamp>>);

impl TestClock {
    /// Makes a clock that shows this time.
    pub fn at(time: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(time)))
    }

    /// Sets the time.
    pub fn set(&self, time: Timestamp) {
        *lock(&self.0) = time;
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::at(START)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }
}
