//! The port of the clock.

use jiff::Timestamp;

/// The clock that is compared with tokens and with timestamps of other systems.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}
