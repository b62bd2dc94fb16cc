//! Runs health checks and maintenance: backoff, expiry and the size of the event log.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{
    domain::{cursor::Span, error::Result},
    port::{self, Backlog, Ports},
};

/// The engine for health checks and the worker's maintenance.
pub struct Operations {
    maintenance: Arc<dyn port::Maintenance>,
    message_search: Arc<dyn port::MessageSearch>,
    feed: Arc<dyn port::Feed>,
    homeserver: Arc<dyn port::Homeserver>,
    clock: Arc<dyn port::Clock>,
}

impl Operations {
    pub(crate) fn new(ports: &Ports) -> Self {
        Self {
            maintenance: ports.maintenance.clone(),
            message_search: ports.message_search.clone(),
            feed: ports.feed.clone(),
            homeserver: ports.homeserver.clone(),
            clock: ports.clock.clone(),
        }
    }

    /// Returns the time of the service's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Checks that the database answers.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn check_database(&self) -> Result<()> {
        self.maintenance.check().await
    }

    /// Checks that the event log can be read: from the database, or from its copy.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn check_feed(&self) -> Result<()> {
        self.feed.span().await.map(drop)
    }

    /// Returns the range of positions in the event log.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn feed_span(&self) -> Result<Span> {
        self.feed.span().await
    }

    /// Returns the work that the worker still has to do.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn backlog(&self) -> Result<Backlog> {
        self.maintenance.backlog().await
    }

    /// Checks that the homeserver answers.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn check_homeserver(&self) -> Result<()> {
        self.homeserver.ping().await
    }

    /// Waits until there may be work for the worker, for `patience` at most.
    pub async fn wait_for_work(&self, patience: Duration) {
        self.maintenance.wait_for_work(patience).await;
    }

    /// Returns whether room queues or accounts are backing off after a failure.
    pub async fn is_backing_off(&self) -> Result<bool> {
        self.maintenance.is_backing_off().await
    }

    /// Makes all room queues and accounts due that are backing off, because the homeserver is reachable
    /// again.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn retry_now(&self) -> Result<()> {
        self.maintenance.retry_now().await
    }

    /// Marks notifications as expired that were pending for too long. Returns their number.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn expire(&self) -> Result<u64> {
        self.maintenance.expire().await
    }

    /// Creates partitions of the event log, and drops events and idempotency keys that are older than the
    /// retention.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn rotate(&self, retention: Duration) -> Result<()> {
        self.maintenance.rotate(retention).await
    }

    /// Deletes texts of messages that are older than the retention or stood in closed rooms, a limited number of
    /// them, and updates the index.
    #[tracing::instrument(level = "debug", skip_all)]
    pub async fn tidy_search(&self, retention: Duration) -> Result<()> {
        self.message_search.tidy(retention).await
    }
}
