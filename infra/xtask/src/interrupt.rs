//! Ctrl-C, `kill`, and a terminal that is closed.
use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The wish of somebody outside that we end. From the first watch on, such a signal no longer ends the process by itself.
pub(crate) struct Interrupt {
    control_c: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Interrupt {
    pub(crate) fn watch() -> Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            control_c: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.control_c.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}
