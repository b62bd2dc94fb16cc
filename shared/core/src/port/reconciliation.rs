//! The port of the sync token.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{error::Result, lease::Lease};

/// The stored sync token of the homeserver's `/sync`, and the lease of the worker that reads it.
#[async_trait]
pub trait Reconciliation: Send + Sync {
    /// Claims or renews the lease on reading, and returns the stored sync token; `None` if none is stored.
    async fn claim(&self, worker: &str, lease: Duration) -> Result<Lease<Option<String>>>;

    /// Stores the sync token, and renews the lease. Writes nothing if the lease is lost.
    async fn advance(&self, worker: &str, sync_token: &str, lease: Duration) -> Result<Lease<()>>;

    /// Renews the lease. Writes nothing if it is lost.
    async fn renew(&self, worker: &str, lease: Duration) -> Result<Lease<()>>;

    /// Ends the lease, if this worker holds it, so that another one need not wait for its end.
    async fn release(&self, worker: &str) -> Result<()>;

    /// Returns the stored sync token; `None` if there is none yet. Everything before it was ingested.
    async fn sync_token(&self) -> Result<Option<String>>;

    /// Returns the time at which the sync token was stored last, even if it did not change.
    ///
    /// The ids of events that were ingested later than one day before that time are kept. Older ones may be
    /// deleted.
    async fn moved_at(&self) -> Result<Timestamp>;

    /// Stores that the homeserver has just pushed a transaction.
    async fn note_push(&self) -> Result<()>;

    /// Returns the time since [`note_push`](Self::note_push); `None` if the homeserver has never pushed.
    async fn since_push(&self) -> Result<Option<Duration>>;
}
