//! The port of periodic maintenance.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::error::Result;

/// The work that the worker still has to do, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The number of entries that can be delivered: pending notifications whose live event is in the log, and due
    /// messages of alarms without their rings.
    pub queued: u64,
    /// The number of entries that are held until their recipient signs in.
    pub held: u64,
    /// The number of room queues with an entry that can be delivered.
    pub queues: u64,
    /// The time since the oldest notification that can be delivered was stored, or the oldest message of an alarm
    /// became due.
    pub oldest_pending: Option<Duration>,
    /// The time for which the first room queue has been due that no worker has claimed.
    pub oldest_due: Option<Duration>,
    /// The time since the sync token moved.
    pub since_sync: Duration,
    /// Whether a worker holds the lease on reconciliation.
    pub is_sync_leased: bool,
}

/// Periodic maintenance: expiry, retention, and retries after an outage of the homeserver.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Checks that the database answers.
    async fn check(&self) -> Result<()>;

    /// Waits until the outbox or the users may have work, or until `patience` is over.
    async fn wait_for_work(&self, patience: Duration);

    /// Returns the work that is still to be done. Costs one statement, whose time grows with the number of
    /// pending notifications.
    async fn backlog(&self) -> Result<Backlog>;

    /// Returns whether anything waits for its next attempt after a failure.
    async fn is_backing_off(&self) -> Result<bool>;

    /// Makes all work due at once that waits for its next attempt after a failure.
    async fn retry_now(&self) -> Result<()>;

    /// Marks pending notifications past their expiry as expired. Returns their number.
    async fn expire(&self) -> Result<u64>;

    /// Creates the partitions of the event log for the coming days, drops those older than `retention`, and
    /// deletes old idempotency keys and event ids.
    async fn rotate(&self, retention: Duration) -> Result<()>;
}
