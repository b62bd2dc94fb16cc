//! The lease of the reconciling worker: short, and renewed while it reads, so that another worker goes on soon after a
//! worker was killed.
//!
//! A worker that was merely stopped (`SIGSTOP`, a suspended machine) and has lost its lease does no harm: the position
//! moves only for the worker that holds the lease, and what the late one still ingests counts once and was ingested by
//! its successor from the same position.

use std::time::Duration;

use tokio::time::sleep;

use crate::{domain::error::Result, sync::reconcile::Reconcile};

/// A worker that renews nothing for this long has lost the lease.
pub(crate) const LEASE: Duration = Duration::from_secs(3);

/// Interval in which the lease is renewed while the worker waits for the homeserver. Two renewals may fail.
const RENEWAL: Duration = Duration::from_secs(1);

impl Reconcile {
    /// Gives the lease back, so that another worker need not wait until it ends.
    pub async fn stop(&self, worker: &str) -> Result<()> {
        self.reconciliation.advance(worker, None, Duration::ZERO).await.map(drop)
    }

    /// Runs `reading` and renews the lease meanwhile. `false`: another worker holds the lease by now.
    pub(crate) async fn under_lease(
        &self,
        worker: &str,
        reading: impl Future<Output = Result<bool>>,
    ) -> Result<bool> {
        tokio::select! {
            read = reading => read,
            () = self.lose_lease(worker) => Ok(false),
        }
    }

    /// Renews the lease until another worker holds it.
    async fn lose_lease(&self, worker: &str) {
        loop {
            sleep(RENEWAL).await;
            // A database that is away is met by the reading, too.
            if let Ok(false) = self.reconciliation.advance(worker, None, LEASE).await {
                return;
            }
        }
    }
}
