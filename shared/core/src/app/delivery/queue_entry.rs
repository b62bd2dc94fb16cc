//! The entries of a room queue: notifications and messages of alarms, in one order.

use crate::{domain::notification::Notification, port::AlarmMessageDue};

/// An entry of a room queue.
pub(super) enum QueueEntry {
    /// A notification that stands for itself.
    Notification(Box<Notification>),
    /// A message of an alarm.
    Alarm(Box<AlarmMessageDue>),
}

/// The state of a message of an alarm after an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AlarmDelivery {
    /// There is nothing left to do.
    Done,
    /// The room queue has to be read again.
    Outdated,
    /// The recipient has to sign in first.
    UntilSignIn,
    /// The room queue backs off after a failure.
    BackingOff,
}

impl QueueEntry {
    /// Returns the first entries of a room queue in their order, at most `limit`. Each list has the first ones of
    /// its kind, at most `limit`.
    pub(super) fn in_order(
        notifications: Vec<Notification>,
        alarms: Vec<AlarmMessageDue>,
        limit: usize,
    ) -> Vec<Self> {
        let notifications = notifications.into_iter().map(|one| Self::Notification(Box::new(one)));
        let mut entries: Vec<_> =
            notifications.chain(alarms.into_iter().map(|one| Self::Alarm(Box::new(one)))).collect();
        entries.sort_by_key(|entry| match entry {
            Self::Notification(notification) => notification.id,
            Self::Alarm(message) => message.place,
        });
        entries.truncate(limit);
        entries
    }
}
