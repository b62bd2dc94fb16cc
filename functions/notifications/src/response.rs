//! The JSON of answers.

use jiff::Timestamp;
use messenger_core::{
    id::{EventId, HubUserId, NotificationId, RoomId, TenantId},
    notification::{self, EntityId, Priority, Status, TARGET_TYPES, Target},
    time::{Rfc3339, rfc3339, rfc3339_or_null},
};
use schemars::JsonSchema;
use serde::Serialize;

/// `GET /notifications/log`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NotificationLog")]
pub(crate) struct Log {
    pub(crate) notifications: Vec<Notification>,
}

/// A notification: the fields of `docs/integration.md`, then the others.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Notification {
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
}

impl Notification {
    pub(crate) fn new(stored: notification::Notification) -> Self {
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
        }
    }

    /// Returns the same with these warnings.
    pub(crate) fn warning(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }
}
