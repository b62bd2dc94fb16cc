//! The port of the messages of alarms.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    domain::{
        alarm::{Episode, EpisodeId, RingReason},
        error::Result,
        event::Payload,
        id::{AlarmId, EventId, HubUserId, NotificationId, RingId, RoomId, TenantId},
    },
    port::{Delivered, RoomQueue},
};

/// A message of an alarm that is due in a room queue: the root message of an episode, its next edit, or a ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmMessageDue {
    /// Its place in the room queue: it comes before the notifications with larger ids.
    pub place: NotificationId,
    /// The alarm.
    pub alarm: AlarmId,
    /// The tenant of the alarm.
    pub tenant: TenantId,
    /// The revision of the alarm, which the message shows.
    pub revision: i64,
    /// The episode as of this revision.
    pub episode: Episode,
    /// The root message; `None` while the homeserver does not have it.
    pub root: Option<RootMessage>,
    /// The ring; `None` for a root message or an edit.
    pub ring: Option<(RingId, RingReason)>,
}

/// The root message of an episode on the homeserver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootMessage {
    /// Its number: an episode gets another one if the first one was redacted, or its room was closed.
    pub number: i64,
    /// Its room.
    pub room: RoomId,
    /// The message.
    pub event: EventId,
}

/// The episode of a message of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageOfAlarm {
    /// The episode.
    pub of: EpisodeId,
    /// Whether it is the newest episode of its alarm.
    pub is_newest: bool,
}

/// An attempt to send a root message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootAttempt {
    /// The number of the root message.
    pub number: i64,
    /// The revision of the first attempt. The homeserver keeps the content of that attempt if it has stored it,
    /// so a repeated one shows this revision only.
    pub revision: i64,
}

/// A root message or an edit that the homeserver has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentAlarmMessage {
    /// The alarm.
    pub alarm: AlarmId,
    /// The number of the episode.
    pub episode: i64,
    /// The revision that it shows.
    pub revision: i64,
    /// The root message.
    pub root: RootMessage,
    /// The edit; `None` if it is the root message itself.
    pub edit: Option<EventId>,
}

impl SentAlarmMessage {
    /// Returns the payload of the live events of the notifications that it shows.
    pub fn payload(&self) -> Result<Payload> {
        Delivered { id: NotificationId(0), room: self.root.room.clone(), event: self.root.event.clone() }
            .payload()
    }
}

/// The messages of alarms in the room queues of the [`Outbox`](crate::port::Outbox).
///
/// A stored change of an alarm makes its room queue due: a new state at once, other changes when the last message
/// is ten seconds to a minute old. All changes until a message is sent are one message.
#[async_trait]
pub trait AlarmOutbox: Send + Sync {
    /// Returns the first messages of a room queue that are due, in their order.
    async fn due_messages(&self, queue: &RoomQueue, limit: i64) -> Result<Vec<AlarmMessageDue>>;

    /// Stores that a root message is about to be sent into a room.
    async fn begin_root(&self, message: &AlarmMessageDue, room: &RoomId) -> Result<RootAttempt>;

    /// Stores a sent root message or edit. The notifications that it shows are sent. Returns `false`, and stores
    /// nothing, if the room was closed meanwhile: the message has reached nobody.
    async fn message_sent(&self, sent: &SentAlarmMessage) -> Result<bool>;

    /// Stores that the homeserver rejected a root message or an edit for good. The notifications that it shows
    /// have failed. The next change of the episode is another attempt.
    async fn rejected(&self, message: &AlarmMessageDue, reason: &str, detail: &str) -> Result<()>;

    /// Begins a ring, before any later acknowledgement is stored. Returns `false`, and drops the ring, if its
    /// reason is over, or if the root message rings for it.
    async fn begin_ring(&self, ring: RingId) -> Result<bool>;

    /// Stores that a ring was sent as this message; `None` if the homeserver rejected it for good.
    async fn rung(&self, ring: RingId, room: &RoomId, event: Option<&EventId>) -> Result<()>;

    /// Releases a room queue until a delay is over; `None` for one that grows with each failure.
    async fn back_off(&self, queue: &RoomQueue, delay: Option<Duration>) -> Result<()>;

    /// Returns the episode of which this is a message; `None` for any other message.
    async fn alarm_of(&self, room: &RoomId, event: &EventId) -> Result<Option<MessageOfAlarm>>;

    /// Returns the episode that a user has acknowledged by this reaction or reply, also before a change has
    /// consumed it; `None` for any other event.
    async fn acknowledged_by(&self, event: &EventId, user: &HubUserId) -> Result<Option<EpisodeId>>;
}
