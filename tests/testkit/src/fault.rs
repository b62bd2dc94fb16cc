//! Fault injection: ends a process at a chosen step, as `kill -9` would.

use std::{
    future,
    sync::{Arc, Mutex},
};

use messenger_core::lock;
use tokio::sync::watch;

/// The number of steps that a process may still make. Once they are used up, no call of the process returns.
#[derive(Clone)]
pub(crate) struct FaultInjector(Arc<Inner>);

struct Inner {
    /// The steps that are left; `None` for any number.
    left: Mutex<Option<usize>>,
    triggered: watch::Sender<bool>,
}

impl Default for FaultInjector {
    fn default() -> Self {
        Self(Arc::new(Inner { left: Mutex::new(None), triggered: watch::Sender::new(false) }))
    }
}

impl FaultInjector {
    /// Limits the process to this number of further steps; `None` lifts the limit.
    pub(crate) fn allow(&self, steps: Option<usize>) {
        *lock(&self.0.left) = steps;
    }

    /// Counts one step of the process and yields to other tasks. Never returns once no step is left.
    pub(crate) async fn step(&self) {
        tokio::task::yield_now().await;
        if self.is_exhausted() {
            self.0.triggered.send_replace(true);
            future::pending::<()>().await;
        }
    }

    /// Waits until the process has used up its steps.
    pub(crate) async fn triggered(&self) {
        // `self` owns the sender, so this cannot fail.
        let _ = self.0.triggered.subscribe().wait_for(|triggered| *triggered).await;
    }

    fn is_exhausted(&self) -> bool {
        let mut left = lock(&self.0.left);
        match left.as_mut() {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }
}
