//! The attempts to deliver a notification.

use jiff::Timestamp;

use crate::domain::notification::Notification;

/// A notification with the attempts to deliver it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryHistory {
    /// The notification.
    pub notification: Notification,
    /// The time at which it was announced if it was held before; `None` if it was never held, or still is.
    pub announced_at: Option<Timestamp>,
    /// The time at which it was stored as sent; `None` if the homeserver does not have it.
    pub sent_at: Option<Timestamp>,
    /// The latest failed attempts, oldest first. They are forgotten after thirty days.
    pub failures: Vec<FailedAttempt>,
}

/// A failed attempt to deliver a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// Its number, beginning with 1; it begins again when an administrator retries the notification.
    pub attempt: i32,
    /// The time of the failure.
    pub failed_at: Timestamp,
    /// The reason for programs (see [`reason`](super::reason)).
    pub reason: String,
    /// The error in words, without content of the notification.
    pub detail: String,
    /// The time of the next attempt; `None` if it was the last one.
    pub next_attempt_at: Option<Timestamp>,
}
