//! Figures of a tenant for its administrators.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::domain::id::NotificationId;

/// The figures of a tenant at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantFigures {
    /// The number of users.
    pub users: i64,
    /// The number of users whose Matrix account is ready.
    pub provisioned_users: i64,
    /// The number of rooms of each kind that exists, by its stored name.
    pub rooms: BTreeMap<String, i64>,
    /// The number of messages that are not redacted.
    pub messages: i64,
    /// The number of open event streams in all processes that have reported within the last minute.
    pub sse_connections: i64,
    /// The number of notifications that can be delivered and are not yet.
    pub pending: i64,
    /// The number of notifications that are held until their recipient signs in.
    pub held: i64,
    /// The number of room queues with a notification that can be delivered.
    pub queues: i64,
    /// The time since the oldest notification that can be delivered was stored; `None` if there is none.
    pub oldest_pending: Option<Duration>,
    /// The number of notifications that were accepted within the last 24 hours and failed.
    pub failed: i64,
    /// The number of notifications that expired within the last 24 hours.
    pub expired: i64,
    /// The numbers of those that failed or expired, by their reason.
    pub by_reason: BTreeMap<String, i64>,
    /// The number of notifications that were accepted in each of the last sixty minutes, oldest first.
    pub sends_per_minute: Vec<i64>,
}

/// An app that has sent notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendingApp {
    /// Its name, as in `source_app`.
    pub name: String,
    /// Its newest notification.
    pub last: NotificationId,
    /// The time at which that was accepted.
    pub last_at: Timestamp,
}

/// The state of the homeserver, as this process sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HomeserverState {
    /// Whether it answers in time.
    pub is_online: bool,
    /// The time since which it has been so; `None` if this process has seen no change.
    pub since: Option<Timestamp>,
}
