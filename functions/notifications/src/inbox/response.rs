//! The JSON of the inbox: an entry has the fields of the live event `notification`, and its state.

use jiff::Timestamp;
use messenger_core::{
    id::{EventId, NotificationId, RoomId},
    inbox::{InboxEntry, InboxPage},
    notification::{EntityId, Priority, Status, TARGET_TYPES, Target},
    time::{Rfc3339, rfc3339},
};
use schemars::JsonSchema;
use serde::Serialize;

/// `GET /notifications/inbox`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Inbox {
    notifications: Vec<InboxNotification>,
    /// The `before` of the next page; null at the end. A page may be short although another one follows.
    next_before: Option<NotificationId>,
    /// The number of unread notifications, at most 1000.
    unread_count: i64,
}

/// A notification in the inbox of a user.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InboxEntry")]
struct InboxNotification {
    notification_id: NotificationId,
    #[serde(serialize_with = "rfc3339")]
    #[schemars(with = "Rfc3339")]
    created_at: Timestamp,
    source_app: String,
    event_type: String,
    title: String,
    body: Option<String>,
    priority: Priority,
    #[schemars(extend("enum" = TARGET_TYPES))]
    target_type: &'static str,
    /// The kind of entity; left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_type: Option<String>,
    /// The id of the entity; left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<EntityId>,
    /// The room, if it exists already.
    room_id: Option<RoomId>,
    /// Whether the caller has read it, on any device.
    read: bool,
    /// The room of its message; null until it is sent.
    matrix_room_id: Option<RoomId>,
    /// Its message; null until it is sent.
    matrix_event_id: Option<EventId>,
}

/// `POST /notifications/inbox/read`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "InboxUnread")]
pub(crate) struct Unread {
    /// The number of unread notifications that are left, at most 1000.
    pub(crate) unread_count: i64,
}

impl From<InboxPage> for Inbox {
    fn from(page: InboxPage) -> Self {
        Self {
            notifications: page.entries.into_iter().map(InboxNotification::from).collect(),
            next_before: page.next_before,
            unread_count: page.unread_count,
        }
    }
}

impl From<InboxEntry> for InboxNotification {
    fn from(InboxEntry { notification, is_read }: InboxEntry) -> Self {
        let target_type = notification.draft.target_type();
        let is_sent = notification.status == Status::Sent;
        let (title, body) = (notification.draft.shown_title(), notification.draft.shown_body());
        let (entity_type, entity_id) = match notification.draft.target {
            Target::Entity { entity_type, entity_id } => (Some(entity_type), Some(entity_id)),
            Target::General | Target::Service | Target::Dm(_) => (None, None),
        };
        Self {
            notification_id: notification.id,
            created_at: notification.created_at,
            source_app: notification.draft.source_app,
            event_type: notification.draft.event_type,
            title,
            body,
            priority: notification.draft.priority,
            target_type,
            entity_type,
            entity_id,
            matrix_room_id: notification.room.clone().filter(|_| is_sent),
            room_id: notification.room,
            read: is_read,
            matrix_event_id: notification.event,
        }
    }
}
