//! The port of the outbox.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    event::{
        Payload,
        payload::{EventPayload, NotificationSent},
    },
    id::{EventId, NotificationId, RoomId},
    notification::Notification,
};

/// A leased room queue. No other worker drains it until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomQueue {
    /// The room key as text.
    pub name: String,
    /// The version at the time of the claim. It grows with each new notification and each retry, so that a
    /// release does not overlook one.
    pub version: i64,
    /// Whether an alarm ever had a message in this room queue.
    pub has_alarms: bool,
}

/// A notification that the homeserver has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The notification.
    pub id: NotificationId,
    /// The room it was sent to.
    pub room: RoomId,
    /// The Matrix event it became.
    pub event: EventId,
}

impl Delivered {
    /// Returns the payload of its live event.
    pub fn payload(&self) -> Result<Payload> {
        let sent = NotificationSent { room_id: &self.room, event_id: &self.event };
        EventPayload::NotificationSent(sent).serialise()
    }
}

/// The state in which a worker releases a room queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueRelease {
    /// The queue is empty.
    Drained,
    /// The queue is due again after this time, because its first entry is being delivered elsewhere.
    RetryAfter(Duration),
    /// The queue is due again when the recipient of its direct messages signs in.
    UntilSignIn,
}

/// The outbox: one FIFO queue of pending notifications for each room. Queues are drained side by side.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Claims the room queue that has been due longest. Returns `None` if no queue is due.
    async fn claim(&self, lease: Duration) -> Result<Option<RoomQueue>>;

    /// Returns the first pending notifications of a room queue, oldest first, and renews the lease.
    async fn pending(&self, queue: &RoomQueue, lease: Duration, limit: i64) -> Result<Vec<Notification>>;

    /// Appends the live event of a held notification, whose recipient has signed in, and removes its expiry.
    /// Repeating it changes nothing, nor does announcing one that is cancelled or has another recipient now.
    async fn announce(&self, notification: &Notification, payload: &Payload) -> Result<()>;

    /// Marks notifications as sent, also those that have expired or were cancelled meanwhile, and appends the
    /// live event `notification_sent` of each, once. Returns those whose room was closed meanwhile, which stay
    /// as they are: their message has reached nobody.
    async fn sent(&self, delivered: &[Delivered]) -> Result<Vec<NotificationId>>;

    /// Marks a pending notification as failed: the homeserver rejected it for good. `detail` is the error in
    /// words, without content of the notification.
    async fn failed(&self, id: NotificationId, reason: &str, detail: &str) -> Result<()>;

    /// Stores a failed attempt, and releases the room queue until the delay is over. The caller that sent the
    /// notification is no longer waiting for its delivery.
    async fn postpone(
        &self,
        notification: &Notification,
        delay: Duration,
        reason: &str,
        detail: &str,
    ) -> Result<()>;

    /// Releases a room queue. If its stored version differs from `queue.version`, the queue is due at once.
    async fn release(&self, queue: &RoomQueue, release: QueueRelease) -> Result<()>;

    /// Ends the backoff of the room queue with this name, which is due at once. A worker that has it leased
    /// keeps it.
    async fn retry_queue(&self, name: &str) -> Result<()>;
}
