//! Notifications: the content, its target, and the state of its delivery.

mod draft;
mod fingerprint;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    event::Payload,
    id::{EventId, NotificationId, RoomId, TenantId},
    room::RoomKey,
};

pub use crate::domain::entity::EntityId;
pub use draft::{Draft, Priority, Target};
pub use fingerprint::Idempotency;

/// How long a direct message waits for its recipient's first login.
pub const HELD_FOR: Duration = Duration::from_hours(7 * 24);

/// A satellite that showed a valid service token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Satellite {
    /// Which token; `legacy` is the value of `MESSENGER_SERVICE_TOKEN`.
    pub token: String,
    /// The tenant it speaks for.
    pub tenant: TenantId,
}

/// How the call wants to be treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOptions {
    /// How long the caller waits for the homeserver.
    pub wait: Duration,
    /// The retry key, and the digest of the request it stands for.
    pub idempotency: Option<Idempotency>,
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Stored; delivery goes on.
    Pending,
    /// The homeserver has it.
    Sent,
    /// The homeserver refused it for good.
    Failed,
    /// Its time passed before it could be delivered.
    Expired,
}

impl Status {
    /// The value in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// Reads the stored form back.
    pub fn parse(stored: &str) -> Option<Self> {
        [Self::Pending, Self::Sent, Self::Failed, Self::Expired].into_iter().find(|s| s.as_str() == stored)
    }
}

/// Why a notification is in its status, for programs.
pub mod reason {
    /// The recipient has never signed in to this tenant.
    pub const RECIPIENT_NOT_PROVISIONED: &str = "recipient_not_provisioned";
    /// The homeserver cannot be reached, or is too slow.
    pub const HOMESERVER_UNAVAILABLE: &str = "homeserver_unavailable";
    /// The homeserver answers with errors.
    pub const HOMESERVER_ERROR: &str = "homeserver_error";
    /// An error within this service.
    pub const INTERNAL_ERROR: &str = "internal_error";
    /// The recipient's Matrix account was made by somebody else, so it is not used.
    pub const MATRIX_ACCOUNT_TAKEN: &str = "matrix_account_taken";
    /// Messages in the room are encrypted since somebody switched that on.
    pub const ROOM_ENCRYPTED: &str = "room_encrypted";
    /// The homeserver refused the message for good.
    pub const REFUSED_BY_HOMESERVER: &str = "refused_by_homeserver";
}

/// A notification as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Its number.
    pub id: NotificationId,
    /// Whose.
    pub tenant: TenantId,
    /// What was said.
    pub draft: Draft,
    /// What became of it.
    pub status: Status,
    /// Why (see [`reason`]).
    pub reason: Option<String>,
    /// The room, once known.
    pub room: Option<RoomId>,
    /// The Matrix event, once sent.
    pub event: Option<EventId>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it stops being delivered.
    pub expires_at: Option<Timestamp>,
    /// How often delivery was tried and failed.
    pub attempts: i32,
    /// When it is tried next, after a failure.
    pub next_attempt_at: Option<Timestamp>,
    /// How long its sender may still be waiting for the answer, and so be delivering it. Only what nothing was before
    /// ([`Place::Free`]) is delivered by its sender; what is queued is the worker's at once.
    pub in_flight: Option<Duration>,
    /// Whether its live event stands in the log. False only while it is held for an unknown recipient.
    pub announced: bool,
}

/// What is to be stored, in one transaction: the notification, its live event and its place in the room queue.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// Who sends it.
    pub satellite: Satellite,
    /// What is said.
    pub draft: Draft,
    /// The room, if known already.
    pub room: Option<RoomId>,
    /// The fields of its live event.
    pub payload: Payload,
    /// How the caller wants it treated.
    pub options: SendOptions,
}

/// What storing an entry came to.
#[derive(Debug, Clone)]
pub enum AcceptOutcome {
    /// It is stored.
    New {
        /// As stored.
        notification: Box<Notification>,
        /// Where it stands in its room queue.
        place: QueueState,
    },
    /// The retry key is known: this is the notification of the first call.
    Replayed {
        /// As it is now.
        notification: Box<Notification>,
        /// The fingerprint of the first request.
        fingerprint: String,
    },
}

/// Where a new notification stands in its room queue. What was answered earlier goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// Nothing is before it.
    Free,
    /// Earlier ones are being delivered.
    Queued,
    /// Earlier ones wait for the homeserver to recover.
    BackingOff,
}

/// What `notify` tells its caller.
#[derive(Debug, Clone)]
pub struct SendResult {
    /// As far as it got within the wait budget.
    pub notification: Notification,
    /// Whether this repeats the answer of an earlier call with the same key.
    pub replayed: bool,
}

/// Which notifications a satellite wants listed.
#[derive(Debug, Clone)]
pub struct LogQuery {
    /// Only those of one app.
    pub source_app: Option<String>,
    /// At most so many.
    pub limit: i64,
    /// Leave out so many of the newest.
    pub offset: i64,
}

impl Notification {
    /// The room it belongs to, and its place in the order of delivery.
    pub fn key(&self) -> RoomKey {
        self.draft.room_key(self.tenant)
    }

    /// The same, now that the homeserver has it.
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
