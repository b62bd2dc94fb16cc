//! The port of periodic maintenance.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::error::Result;

/// Periodic maintenance: expiry, retention, and retries after an outage of the homeserver.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Waits until the outbox or the users may have work, or until `patience` is over.
    async fn wait_for_work(&self, patience: Duration);

    /// Returns whether anything waits for its next attempt after a failure.
    async fn is_backing_off(&self) -> Result<bool>;

    /// Makes everything due at once that waits for its next attempt after a failure.
    async fn retry_now(&self) -> Result<()>;

    /// Marks pending notifications past their expiry as expired. Returns their number.
    async fn expire(&self) -> Result<u64>;

    /// Creates the partitions of the event log for the coming days, drops those older than `retention`, and
    /// deletes old idempotency keys and event ids.
    async fn rotate(&self, retention: Duration) -> Result<()>;
}
