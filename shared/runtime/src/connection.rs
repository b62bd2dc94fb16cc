//! The number of the connection of a request.

use std::sync::atomic::{AtomicU64, Ordering};

/// The number of a connection of this process, as an extension of its requests. A later connection has a
/// higher number; the first is 1. Requests on Lambda have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection(pub u64);

impl Connection {
    /// Returns the number of a new connection.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
