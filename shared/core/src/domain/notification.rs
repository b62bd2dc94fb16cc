//! Notifications: their content and target, and the state of their delivery.

mod draft;
mod fingerprint;
mod history;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    admin::Administrator,
    alarm::{Alarm, NewAlarmInput, Warning},
    event::Payload,
    id::{EventId, NotificationId, RoomId, TenantId},
    origin::Origin,
    room::RoomKey,
};

pub use crate::domain::entity::EntityId;
pub use draft::{Draft, Priority, TARGET_TYPES, Target};
pub use fingerprint::Idempotency;
pub use history::{DeliveryHistory, FailedAttempt};

/// The time for which a direct message is held for the recipient's first sign-in.
pub const HELD_FOR: Duration = Duration::from_hours(7 * 24);

/// A satellite, authenticated by its service token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Satellite {
    /// The name of the token; `legacy` is the value of `MESSENGER_SERVICE_TOKEN`.
    pub token: String,
    /// The tenant for which it sends.
    pub tenant: TenantId,
}

/// Options of a request to send a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOptions {
    /// The time for which the caller waits for delivery.
    pub wait: Duration,
    /// The idempotency key with the fingerprint of the request.
    pub idempotency: Option<Idempotency>,
    /// The request and its trace.
    pub origin: Origin,
    /// The administrator who sends it as a test, for the audit log; `None` for a satellite.
    pub administrator: Option<Administrator>,
}

/// The status of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Stored, and not yet delivered.
    Pending,
    /// Stored by the homeserver.
    Sent,
    /// Rejected by the homeserver for good.
    Failed,
    /// Not delivered before its expiry.
    Expired,
    /// Not to be delivered any more, by an administrator.
    Cancelled,
    /// An input that its alarm ignored: there is nothing to deliver.
    Ignored,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Sent, Self::Failed, Self::Expired, Self::Cancelled, Self::Ignored];

    /// Returns the value in responses and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Ignored => "ignored",
        }
    }

    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == stored)
    }
}

/// The reasons for the status of a notification, for programs.
pub mod reason {
    /// The recipient has never signed in to this tenant.
    pub const RECIPIENT_NOT_PROVISIONED: &str = "recipient_not_provisioned";
    /// The homeserver cannot be reached, or did not respond in time.
    pub const HOMESERVER_UNAVAILABLE: &str = "homeserver_unavailable";
    /// The homeserver responds with errors.
    pub const HOMESERVER_ERROR: &str = "homeserver_error";
    /// An error within this service.
    pub const INTERNAL_ERROR: &str = "internal_error";
    /// The recipient's Matrix account was created by someone else, so it is not used.
    pub const MATRIX_ACCOUNT_TAKEN: &str = "matrix_account_taken";
    /// A member has enabled encryption in the room.
    pub const ROOM_ENCRYPTED: &str = "room_encrypted";
    /// The homeserver rejected the message for good.
    pub const REFUSED_BY_HOMESERVER: &str = "refused_by_homeserver";

    /// All reasons.
    pub const ALL: [&str; 7] = [
        RECIPIENT_NOT_PROVISIONED,
        HOMESERVER_UNAVAILABLE,
        HOMESERVER_ERROR,
        INTERNAL_ERROR,
        MATRIX_ACCOUNT_TAKEN,
        ROOM_ENCRYPTED,
        REFUSED_BY_HOMESERVER,
    ];
}

/// A stored notification.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// Its tenant.
    pub tenant: TenantId,
    /// Its content and target.
    pub draft: Draft,
    /// Its status.
    pub status: Status,
    /// The reason for the status (see [`reason`]).
    pub reason: Option<String>,
    /// The Matrix room, once known.
    pub room: Option<RoomId>,
    /// The Matrix event, once sent.
    pub event: Option<EventId>,
    /// The time at which it was stored.
    pub created_at: Timestamp,
    /// The time after which it is no longer delivered; `None` if it does not expire.
    pub expires_at: Option<Timestamp>,
    /// The number of failed attempts.
    pub attempts: i32,
    /// The time of the next attempt, after a failure.
    pub next_attempt_at: Option<Timestamp>,
    /// The rest of the caller's wait budget, in which the process that accepted it may deliver it (column
    /// `answer_due`).
    /// `None` if the worker delivers it, as it does unless the notification was [`QueueState::Free`].
    pub in_flight: Option<Duration>,
    /// Whether its live event is in the log. `false` only while it is held for an unknown recipient.
    pub announced: bool,
    /// The request and the trace in which it was sent.
    pub origin: Origin,
}

/// A notification to accept: it is stored with its live event and its entry in the room queue.
///
/// The input of an alarm is stored with neither: its alarm publishes and delivers it. It is `pending` until the
/// root message shows it.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// The sender.
    pub satellite: Satellite,
    /// Its content and target.
    pub draft: Draft,
    /// The Matrix room, if it is already known.
    pub room: Option<RoomId>,
    /// The payload of its live event.
    pub payload: Payload,
    /// The options of the request.
    pub options: SendOptions,
    /// The input of an alarm that it is; `None` for a notification that stands for itself.
    pub alarm: Option<NewAlarmInput>,
}

/// The outcome of accepting a notification.
#[derive(Debug, Clone)]
pub enum AcceptOutcome {
    /// The notification was stored.
    New {
        /// The stored notification.
        notification: Box<Notification>,
        /// The state of its room queue.
        queue_state: QueueState,
    },
    /// The idempotency key is known. Nothing was stored.
    Replayed {
        /// The notification of the first request, in its current state.
        notification: Box<Notification>,
        /// The fingerprint of the first request.
        fingerprint: String,
    },
}

/// The state of a room queue before a new notification. Earlier notifications are delivered first once their
/// callers were answered. Those whose callers still wait do not count: concurrent calls have no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// No earlier notification that was already answered is pending. The caller delivers the new one.
    Free,
    /// An earlier notification that was already answered is pending. The worker delivers in order.
    Queued,
    /// An earlier notification waits for its next attempt after a failure.
    BackingOff,
}

/// The alarm of a notification that was sent as its input.
#[derive(Debug, Clone)]
pub struct AlarmReport {
    /// The alarm after the input.
    pub alarm: Alarm,
    /// Whether the fault was reported before: the notification only counts, or repeats an occurrence.
    pub is_deduplicated: bool,
    /// A part of the input that was left out.
    pub warning: Option<Warning>,
}

/// The result of sending a notification.
#[derive(Debug, Clone)]
pub struct SendResult {
    /// The notification, in its state at the end of the wait.
    pub notification: Notification,
    /// Whether an earlier request with the same idempotency key stored it.
    pub replayed: bool,
    /// The alarm; `None` for a notification that stands for itself, and for an input that a worker applies
    /// later.
    pub alarm: Option<AlarmReport>,
}

/// A query for the notifications of a tenant.
#[derive(Debug, Clone)]
pub struct LogQuery {
    /// The app whose notifications are wanted; `None` for all apps.
    pub source_app: Option<String>,
    /// The largest number of results.
    pub limit: i64,
    /// The number of newest notifications to skip.
    pub offset: i64,
}

impl Notification {
    /// Returns the key of its room, which is also its room queue.
    pub fn key(&self) -> RoomKey {
        self.draft.room_key(self.tenant)
    }

    /// Returns the notification as sent.
    pub(crate) fn sent(self, room: RoomId, event: EventId) -> Self {
        let (room, event) = (Some(room), Some(event));
        Self {
            status: Status::Sent,
            reason: None,
            room,
            event,
            next_attempt_at: None,
            in_flight: None,
            ..self
        }
    }
}
