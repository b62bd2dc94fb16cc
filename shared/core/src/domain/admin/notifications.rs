//! Notifications as administrators find and change them.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{
    id::{HubUserId, NotificationId},
    notification::{Draft, Notification, Priority, Status, Target},
    time::rfc3339_or_null,
};

/// The `source_app` of test notifications.
pub const TEST_APP: &str = "messenger-admin";
/// The `event_type` of test notifications.
pub const TEST_EVENT: &str = "test";
/// The most notifications that are counted for an act on many, and that such an act changes.
pub const BULK_MAX: i64 = 100_000;

/// Notifications that administrators look for. `None` in a field means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NotificationFilter {
    /// The sending app.
    pub source_app: Option<String>,
    /// The status.
    pub status: Option<Status>,
    /// The priority.
    pub priority: Option<Priority>,
    /// The type of the target.
    pub target_type: Option<&'static str>,
    /// The id of a user, or an entity as `type:id`.
    pub target: Option<String>,
    /// The earliest time of storing.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub from: Option<Timestamp>,
    /// The end of the time of storing, exclusive.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub to: Option<Timestamp>,
    /// A part of the title or body, in any case.
    pub text: Option<String>,
    /// Whether it is a test notification.
    pub is_test: Option<bool>,
}

/// A notification with the time of its delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationRecord {
    /// The notification.
    pub notification: Notification,
    /// The time at which it was announced if it was held before; `None` if it was never held, or still is.
    pub announced_at: Option<Timestamp>,
    /// The time at which it was stored as sent; `None` if the homeserver does not have it.
    pub sent_at: Option<Timestamp>,
}

/// A page of notifications, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct NotificationPage {
    /// The notifications.
    pub notifications: Vec<NotificationRecord>,
    /// The last notification that was looked at, for the next page; `None` at the end.
    pub next: Option<NotificationId>,
    /// The time of that notification, if the search ended before the page was full.
    pub searched_until: Option<Timestamp>,
}

/// A test notification of an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestNotification {
    /// The target.
    pub target: Target,
    /// The priority.
    pub priority: Priority,
    /// The text after "Test: ".
    pub text: String,
}

/// A part of a count of notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountStep {
    /// The number of matching notifications of this part.
    pub matched: i64,
    /// The last notification that was looked at; `None` at the end.
    pub next: Option<NotificationId>,
}

/// The number of notifications that a filter matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchCount {
    /// The number.
    pub matched: i64,
    /// Whether there are no more of them.
    pub is_exact: bool,
}

/// An act on notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationAct {
    /// Delivers notifications again that were not delivered.
    Retry,
    /// Ends the delivery of pending notifications.
    Cancel,
}

impl NotificationAct {
    /// Returns the action in the audit log.
    pub fn action(self) -> &'static str {
        match self {
            Self::Retry => "notification.retry",
            Self::Cancel => "notification.cancel",
        }
    }

    /// Returns the code of the refusal for a notification in another state.
    pub fn refusal(self) -> &'static str {
        match self {
            Self::Retry => "not_retryable",
            Self::Cancel => "not_cancellable",
        }
    }

    /// Returns the state of a changed notification.
    pub fn result(self) -> Status {
        match self {
            Self::Retry => Status::Pending,
            Self::Cancel => Status::Cancelled,
        }
    }
}

/// The result of an act on one notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActResult {
    /// The notification.
    pub id: NotificationId,
    /// Its status before the act.
    pub before: Status,
    /// Whether the act changed it.
    pub changed: bool,
}

/// The outcome of moving a held direct message to another recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReaddressOutcome {
    /// The message has the new recipient.
    Readdressed,
    /// The tenant has no such notification.
    UnknownNotification,
    /// The tenant has no such user.
    UnknownUser,
    /// The notification is not held. Its status stands here.
    NotHeld(Status),
}

/// An act on many notifications, as the caller repeats it until it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkRequest {
    /// The key under which repeated calls are one act.
    pub key: String,
    /// The act.
    pub act: NotificationAct,
    /// The notifications.
    pub filter: NotificationFilter,
    /// The number of notifications that the caller expects to match.
    pub expected: i64,
}

/// The progress of an act on many notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkProgress {
    /// The newest notification at the beginning.
    pub upto: NotificationId,
    /// The next notification to look at.
    pub next: NotificationId,
    /// The number of matching notifications at the beginning.
    pub total: i64,
    /// The number of changed notifications.
    pub changed: i64,
    /// The number of notifications that matched and were in another state.
    pub skipped: i64,
}

impl BulkProgress {
    /// Returns whether all notifications were looked at.
    pub fn is_done(&self) -> bool {
        self.next > self.upto
    }

    /// Returns the number of notifications that are left; at least 1 until the end.
    pub fn remaining(&self) -> i64 {
        if self.is_done() { 0 } else { (self.total - self.changed - self.skipped).max(1) }
    }
}

/// The beginning of an act on many notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkBeginning {
    /// The act goes on from here.
    Progress(BulkProgress),
    /// The key belongs to another act.
    OtherAct,
}

/// The result of a call of an act on many notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkResult {
    /// The progress after the call.
    pub progress: BulkProgress,
    /// The results of this call.
    pub results: Vec<ActResult>,
}

/// A held direct message.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldMessage {
    /// The notification.
    pub notification: Notification,
    /// The time since it was stored.
    pub age: Duration,
}

/// The position of a held direct message in the order of expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldCursor {
    /// Its expiry.
    pub expires_at: Timestamp,
    /// The notification.
    pub id: NotificationId,
}

/// A member of the room of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationRecipient {
    /// The user.
    pub user: HubUserId,
    /// The name of the user; `None` for a user who never signed in.
    pub display_name: Option<String>,
    /// Whether the user has seen the notification, in the room or in the inbox; `None` if it is not known.
    pub has_read: Option<bool>,
}

/// The recipients of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotificationRecipients {
    /// The first recipients, by their ids.
    pub users: Vec<NotificationRecipient>,
    /// The number of all recipients.
    pub total: i64,
}

impl Draft {
    /// Returns whether it is a test notification of an administrator.
    pub fn is_test(&self) -> bool {
        self.source_app == TEST_APP && self.event_type == TEST_EVENT
    }
}
