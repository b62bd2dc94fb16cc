//! The end of a process: first it drains, then it shuts down.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// The state of the end of a process. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_draining: AtomicBool,
    begun: CancellationToken,
}

impl Shutdown {
    /// Begins the drain: `GET /readyz` is 503, so that proxies send requests to other copies.
    pub(crate) fn drain(&self) {
        self.0.is_draining.store(true, Ordering::Relaxed);
    }

    /// Begins the shutdown: no connection is accepted any more, and streams end.
    pub(crate) fn begin(&self) {
        self.drain();
        self.0.begun.cancel();
    }

    /// Returns whether the process drains or shuts down.
    pub(crate) fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Relaxed)
    }

    /// Waits until the shutdown begins.
    pub fn begun(&self) -> WaitForCancellationFutureOwned {
        self.0.begun.clone().cancelled_owned()
    }
}
