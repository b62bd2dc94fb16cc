//! The JSON of answers.

use messenger_runtime::notifications::Notification;
use schemars::JsonSchema;
use serde::Serialize;

/// `GET /notifications/log`.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NotificationLog")]
pub(crate) struct Log {
    pub(crate) notifications: Vec<Notification>,
}
