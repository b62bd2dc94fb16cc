//! The lease of the reconciling worker. It is short and renewed while the worker reads, so that another
//! worker continues soon after a worker was killed.
//!
//! A worker that was only suspended (`SIGSTOP`, a sleeping machine) and has lost its lease does no harm: the
//! sync token moves only for the worker that holds the lease. Events that the late worker still ingests count
//! once, and its successor ingested them from the same sync token.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    domain::{error::Result, lease::Lease},
    sync::reconcile::{LEASE, Reconcile},
};

/// Interval in which the lease is renewed while the worker waits for the homeserver. Two renewals may fail.
const RENEWAL: Duration = Duration::from_secs(1);

impl Reconcile {
    /// Releases the lease, so that another worker need not wait for its end.
    #[tracing::instrument(level = "debug", skip_all, fields(%worker))]
    pub async fn stop(&self, worker: &str) -> Result<()> {
        self.reconciliation.release(worker).await
    }

    /// Runs `reading` and renews the lease in the meantime. Returns as soon as the
    /// lease is lost.
    pub(crate) async fn under_lease(
        &self,
        worker: &str,
        reading: impl Future<Output = Result<Lease<()>>>,
    ) -> Result<Lease<()>> {
        tokio::select! {
            read = reading => read,
            () = self.renew_until_lost(worker) => Ok(Lease::Lost),
        }
    }

    /// Renews the lease.
    pub(crate) async fn renew(&self, worker: &str) -> Result<Lease<()>> {
        self.reconciliation.renew(worker, LEASE).await
    }

    /// Renews the lease until another worker holds it.
    async fn renew_until_lost(&self, worker: &str) {
        loop {
            sleep(RENEWAL).await;
            // A failure of the database fails the reading, too.
            if let Ok(Lease::Lost) = self.renew(worker).await {
                return;
            }
        }
    }
}
