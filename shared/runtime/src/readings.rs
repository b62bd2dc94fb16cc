//! Readings of the database and the homeserver for probes and metrics. They are kept for some seconds, so
//! that frequent probes cost the other systems nothing.

use std::{convert::Infallible, time::Duration};

use jiff::Timestamp;
use messenger_core::{Messenger, Result, cursor::Span, port::Backlog};
use tokio::time::timeout;

use crate::cached::Cached;

/// The time for which the head of the event log is kept.
const SPAN_TTL: Duration = Duration::from_secs(1);
/// The time for which the answer of the homeserver is kept.
const HOMESERVER_TTL: Duration = Duration::from_secs(2);
/// The time for which the backlog is kept.
const BACKLOG_TTL: Duration = Duration::from_secs(5);
/// Time limit of a ping of the homeserver, so that a probe is answered within a second.
const PATIENCE: Duration = Duration::from_millis(800);

/// The last readings of a process.
pub(crate) struct Readings {
    started_at: Timestamp,
    span: Cached<Span>,
    homeserver: Cached<bool>,
    backlog: Cached<Backlog>,
}

impl Readings {
    /// Creates readings of a process that starts now.
    pub(crate) fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            span: Cached::new(SPAN_TTL),
            homeserver: Cached::new(HOMESERVER_TTL),
            backlog: Cached::new(BACKLOG_TTL),
        }
    }

    /// Returns the time at which the process started, in seconds since the Unix epoch.
    pub(crate) fn started_at(&self) -> f64 {
        self.started_at.duration_since(Timestamp::UNIX_EPOCH).as_secs_f64()
    }

    /// Returns the range of positions in the event log.
    pub(crate) async fn feed_span(&self, messenger: &Messenger) -> Result<Span> {
        self.span.get(messenger.operations().feed_span()).await
    }

    /// Returns whether the homeserver answers in time.
    pub(crate) async fn is_homeserver_up(&self, messenger: &Messenger) -> bool {
        let ping = async {
            let pinged = timeout(PATIENCE, messenger.operations().check_homeserver()).await;
            Ok::<_, Infallible>(matches!(pinged, Ok(Ok(()))))
        };
        matches!(timeout(PATIENCE, self.homeserver.get(ping)).await, Ok(Ok(true)))
    }

    /// Returns the work that the worker still has to do.
    pub(crate) async fn backlog(&self, messenger: &Messenger) -> Result<Backlog> {
        self.backlog.get(messenger.operations().backlog()).await
    }
}
