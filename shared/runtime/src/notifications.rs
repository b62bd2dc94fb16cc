//! The JSON of notifications and of their deliveries, for satellites and for administrators.

use jiff::Timestamp;
use messenger_core::{
    alarm::State,
    event::payload::AckedBy,
    id::{AlarmId, EventId, HubUserId, NotificationId, RoomId, TenantId},
    notification::{
        self, AlarmReport, DeliveryHistory, EntityId, FailedAttempt, Priority, Status, TARGET_TYPES, Target,
    },
    time::{Rfc3339, rfc3339, rfc3339_or_null},
};
use schemars::JsonSchema;
use serde::Serialize;

/// A notification: the fields of `docs/integration.md`, then the others.
#[derive(Serialize, JsonSchema)]
pub struct Notification {
    id: NotificationId,
    source_app: String,
    event_type: String,
    title: String,
    body: Option<String>,
    priority: Priority,
    status: Status,
    matrix_room_id: Option<RoomId>,
    matrix_event_id: Option<EventId>,
    #[serde(serialize_with = "rfc3339")]
    #[schemars(with = "Rfc3339")]
    created_at: Timestamp,
    tenant_id: TenantId,
    #[schemars(extend("enum" = TARGET_TYPES))]
    target_type: &'static str,
    entity_type: Option<String>,
    entity_id: Option<EntityId>,
    target_user: Option<HubUserId>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schemars(with = "Option<Rfc3339>")]
    expires_at: Option<Timestamp>,
    attempts: i32,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schemars(with = "Option<Rfc3339>")]
    next_attempt_at: Option<Timestamp>,
    reason: Option<String>,
    warnings: Vec<String>,
    /// Its alarm, in the answer of `send` only; left out for a notification that stands for itself, and while
    /// the database is busy.
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm: Option<NotificationAlarm>,
}

/// The alarm of a notification that was sent as its input.
#[derive(Serialize, JsonSchema)]
struct NotificationAlarm {
    id: AlarmId,
    dedup_key: String,
    state: State,
    /// The number of the newest episode; 0 before the first trigger.
    episode: i64,
    /// The number of triggers of the episode.
    occurrences: i64,
    /// Whether the fault was reported before: this notification only counts.
    deduplicated: bool,
    /// Whether somebody has to acknowledge it.
    ack_required: bool,
    /// The acknowledgement; null if it is not acknowledged.
    acked_by: Option<AckedBy>,
}

impl Notification {
    /// Returns the object of a notification.
    pub fn new(stored: notification::Notification) -> Self {
        let target_type = stored.draft.target_type();
        let (entity_type, entity_id, target_user) = match stored.draft.target {
            Target::Entity { entity_type, entity_id } => (Some(entity_type), Some(entity_id), None),
            Target::Dm(user) => (None, None, Some(user)),
            Target::General | Target::Service => (None, None, None),
        };
        Self {
            id: stored.id,
            source_app: stored.draft.source_app,
            event_type: stored.draft.event_type,
            title: stored.draft.title,
            body: stored.draft.body,
            priority: stored.draft.priority,
            status: stored.status,
            matrix_room_id: stored.room,
            matrix_event_id: stored.event,
            created_at: stored.created_at,
            tenant_id: stored.tenant,
            target_type,
            entity_type,
            entity_id,
            target_user,
            expires_at: stored.expires_at,
            attempts: stored.attempts,
            next_attempt_at: stored.next_attempt_at,
            reason: stored.reason,
            warnings: Vec::new(),
            alarm: None,
        }
    }

    /// Returns the same with its alarm.
    #[must_use]
    pub fn of_alarm(self, report: Option<&AlarmReport>) -> Self {
        Self { alarm: report.map(NotificationAlarm::from), ..self }
    }

    /// Returns the same with these warnings.
    #[must_use]
    pub fn warning(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }
}

impl From<&AlarmReport> for NotificationAlarm {
    fn from(report: &AlarmReport) -> Self {
        let alarm = &report.alarm;
        let episode = alarm.episode.as_ref();
        let acknowledgement = episode.and_then(|episode| episode.acknowledgement.as_ref());
        Self {
            id: alarm.id,
            dedup_key: alarm.key.dedup_key.clone(),
            state: alarm.state(),
            episode: alarm.episode_number(),
            occurrences: episode.map_or(0, |episode| episode.occurrences),
            deduplicated: report.is_deduplicated,
            ack_required: episode.is_some_and(|episode| episode.ack.is_required),
            acked_by: acknowledgement.map(|given| AckedBy::of(given, &alarm.key.source_app)),
        }
    }
}

/// The attempts to deliver a notification.
#[derive(Serialize, JsonSchema)]
pub struct Deliveries {
    id: NotificationId,
    status: Status,
    #[schemars(extend("enum" = TARGET_TYPES))]
    target_type: &'static str,
    target_user: Option<HubUserId>,
    accepted: Acceptance,
    failures: Vec<Failure>,
    /// The delivery; null if the homeserver does not have the message.
    sent: Option<Sent>,
    /// The end without a delivery; null while there is none.
    ended: Option<End>,
}

/// The acceptance of a notification.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeliveryAcceptance")]
struct Acceptance {
    at: Rfc3339,
    source_app: String,
    request_id: Option<String>,
}

/// A failed attempt to deliver a notification.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeliveryFailure")]
struct Failure {
    attempt: i32,
    at: Rfc3339,
    reason: String,
    /// The error in words.
    detail: String,
    next_attempt_at: Option<Rfc3339>,
}

/// The message of a notification on the homeserver.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeliverySuccess")]
struct Sent {
    /// Null for a moment after the delivery.
    at: Option<Rfc3339>,
    matrix_room_id: Option<RoomId>,
    matrix_event_id: Option<EventId>,
}

/// The end of a notification that was not delivered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeliveryEnd")]
struct End {
    status: Status,
    reason: Option<String>,
    /// Null for a cancelled one, whose time is in the audit log.
    at: Option<Rfc3339>,
}

impl Deliveries {
    /// Returns the object of a history.
    pub fn new(history: DeliveryHistory) -> Self {
        let DeliveryHistory { notification, announced_at: _, sent_at, failures } = history;
        let ended = match notification.status {
            Status::Pending | Status::Sent => None,
            Status::Failed => Some(failures.last().map(|last| last.failed_at)),
            Status::Expired => Some(notification.expires_at),
            Status::Cancelled => Some(None),
            Status::Ignored => Some(Some(notification.created_at)),
        };
        Self {
            id: notification.id,
            status: notification.status,
            target_type: notification.draft.target_type(),
            ended: ended.map(|at| End {
                status: notification.status,
                reason: notification.reason.clone(),
                at: at.map(Rfc3339),
            }),
            sent: (notification.status == Status::Sent).then(|| Sent {
                at: sent_at.map(Rfc3339),
                matrix_room_id: notification.room,
                matrix_event_id: notification.event,
            }),
            accepted: Acceptance {
                at: Rfc3339(notification.created_at),
                source_app: notification.draft.source_app,
                request_id: notification.origin.request_id.map(|id| id.to_string()),
            },
            target_user: match notification.draft.target {
                Target::Dm(user) => Some(user),
                _ => None,
            },
            failures: failures.into_iter().map(Failure::from).collect(),
        }
    }
}

impl From<FailedAttempt> for Failure {
    fn from(failed: FailedAttempt) -> Self {
        Self {
            attempt: failed.attempt,
            at: Rfc3339(failed.failed_at),
            reason: failed.reason,
            detail: failed.detail,
            next_attempt_at: failed.next_attempt_at.map(Rfc3339),
        }
    }
}
