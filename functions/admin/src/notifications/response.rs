//! The JSON of notifications for administrators.

use messenger_core::{
    admin::notifications::{NotificationRecipients, NotificationRecord},
    id::HubUserId,
    notification::DeliveryHistory,
    time::Rfc3339,
};
use messenger_runtime::notifications::{Deliveries, Notification};
use schemars::JsonSchema;
use serde::Serialize;

/// A notification as administrators see it: the fields that satellites see, with the texts that readers see,
/// then the others.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AdminNotification {
    #[serde(flatten)]
    notification: Notification,
    /// When its recipient became known, if it was held until then; else null.
    announced_at: Option<Rfc3339>,
    sent_at: Option<Rfc3339>,
    /// The request that sent it.
    request_id: Option<String>,
    /// Whether an administrator sent it as a test.
    is_test: bool,
}

/// A page of notifications, newest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AdminNotifications {
    pub(crate) notifications: Vec<AdminNotification>,
    /// The value of `cursor` for older ones; null at the end.
    pub(crate) next_cursor: Option<i64>,
    /// The time up to which the search went, if it ended before the page was full; else null.
    pub(crate) searched_until: Option<Rfc3339>,
}

/// The attempts to deliver a notification, with its recipients.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AdminDeliveries {
    #[serde(flatten)]
    deliveries: Deliveries,
    /// The user of a direct message, or the first 500 members of the room once it is sent.
    recipients: Vec<Recipient>,
    recipient_count: i64,
}

/// A recipient of a notification.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NotificationRecipient")]
struct Recipient {
    hub_user_id: HubUserId,
    /// Null if the user is no member of the room yet.
    display_name: Option<String>,
    /// Whether the user has seen it, in the room or in the inbox; null if that is not known.
    has_read: Option<bool>,
}

impl From<NotificationRecord> for AdminNotification {
    fn from(record: NotificationRecord) -> Self {
        let NotificationRecord { mut notification, announced_at, sent_at } = record;
        let draft = &mut notification.draft;
        (draft.title, draft.body) = (draft.shown_title(), draft.shown_body());
        Self {
            announced_at: announced_at.map(Rfc3339),
            sent_at: sent_at.map(Rfc3339),
            request_id: notification.origin.request_id.as_ref().map(ToString::to_string),
            is_test: notification.draft.is_test(),
            notification: Notification::new(notification),
        }
    }
}

impl AdminDeliveries {
    pub(crate) fn new((history, recipients): (DeliveryHistory, NotificationRecipients)) -> Self {
        let users = recipients.users.into_iter().map(|recipient| Recipient {
            hub_user_id: recipient.user,
            display_name: recipient.display_name,
            has_read: recipient.has_read,
        });
        Self {
            recipients: users.collect(),
            recipient_count: recipients.total,
            deliveries: Deliveries::new(history),
        }
    }
}
