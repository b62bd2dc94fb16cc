//! The JSON of answers.

use jiff::Timestamp;
use messenger_core::{
    id::{EventId, MatrixUserId, NotificationId, RoomId},
    media, message,
    time::{Rfc3339, rfc3339},
};
use schemars::JsonSchema;
use serde::Serialize;

/// A message.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Message {
    event_id: EventId,
    room_id: RoomId,
    sender: MatrixUserId,
    sender_display_name: String,
    body: String,
    msg_type: String,
    #[serde(serialize_with = "rfc3339")]
    #[schemars(with = "Rfc3339")]
    timestamp: Timestamp,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    file: Option<File>,
    /// The notification whose message it is; left out for any other message.
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_id: Option<NotificationId>,
}

/// The file of a message: its address on the homeserver, and the path at which this service gives it to
/// members.
#[derive(Serialize, JsonSchema)]
struct File {
    #[serde(rename = "file_url")]
    url: String,
    media_path: String,
    filename: String,
    #[serde(rename = "file_size", skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mimetype: Option<String>,
}

/// A page of the history of a room.
#[derive(Serialize, JsonSchema)]
pub(crate) struct History {
    messages: Vec<Message>,
    end_token: Option<String>,
    has_more: bool,
}

impl From<message::Message> for Message {
    fn from(message: message::Message) -> Self {
        Self {
            event_id: message.event_id,
            room_id: message.room_id,
            sender: message.sender,
            sender_display_name: message.sender_display_name,
            body: message.body,
            msg_type: message.msg_type,
            timestamp: message.timestamp,
            file: message.file.map(File::from),
            notification_id: message.notification,
        }
    }
}

impl From<media::File> for File {
    fn from(file: media::File) -> Self {
        Self {
            url: file.mxc.to_string(),
            media_path: file.mxc.path(),
            filename: file.filename,
            size: file.file_size,
            mimetype: file.mimetype,
        }
    }
}

impl From<message::History> for History {
    fn from(history: message::History) -> Self {
        Self {
            messages: history.messages.into_iter().map(Message::from).collect(),
            end_token: history.end_token,
            has_more: history.has_more,
        }
    }
}
