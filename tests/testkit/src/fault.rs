//! Ending a process at a chosen step, as `kill -9` would.

use std::{
    future,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

/// The life of one process. Once it has blown, nothing that the process calls ever returns.
#[derive(Clone)]
pub(crate) struct FaultInjector(Arc<Inner>);

struct Inner {
    /// How many steps are left; `None` for any number.
    left: Mutex<Option<usize>>,
    blown: watch::Sender<bool>,
}

impl Default for FaultInjector {
    fn default() -> Self {
        Self(Arc::new(Inner { left: Mutex::new(None), blown: watch::Sender::new(false) }))
    }
}

impl FaultInjector {
    /// Lets the process make so many steps and no more; `None` for any number.
    pub(crate) fn allow(&self, steps: Option<usize>) {
        *self.0.left.lock().unwrap_or_else(PoisonError::into_inner) = steps;
    }

    /// One step of the process: lets others come in between. Never returns when no step is left.
    pub(crate) async fn step(&self) {
        tokio::task::yield_now().await;
        if self.is_over() {
            self.0.blown.send_replace(true);
            future::pending::<()>().await;
        }
    }

    /// Waits until the process has come to its last step.
    pub(crate) async fn blown(&self) {
        // The sender lives as long as we do.
        let _ = self.0.blown.subscribe().wait_for(|blown| *blown).await;
    }

    fn is_over(&self) -> bool {
        let mut left = self.0.left.lock().unwrap_or_else(PoisonError::into_inner);
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
