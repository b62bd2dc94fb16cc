//! The JSON of answers.

use jiff::Timestamp;
use messenger_core::{
    id::{EventId, HubUserId, MatrixUserId, NotificationId, RoomId},
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
    /// The message that it replies to.
    reply_to: Option<EventId>,
    /// The text as HTML, as its sender wrote it: it may contain anything.
    formatted_body: Option<String>,
    mentions: Mentions,
    /// The `txn_id` with which its sender sent it; left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    txn_id: Option<String>,
    /// Whether it has another content than it was sent with.
    edited: bool,
    /// The reactions to it, the most frequent ones first.
    reactions: Vec<Reaction>,
}

/// The users whom a message mentions.
#[derive(Serialize, JsonSchema)]
struct Mentions {
    hub_user_ids: Vec<HubUserId>,
    /// Whether it mentions all members.
    room: bool,
}

/// The users who reacted to a message with the same key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ReactionCount")]
struct Reaction {
    key: String,
    count: i64,
    /// Whether the caller is one of them.
    own_event: bool,
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

/// A reaction that was sent.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SentReaction")]
pub(crate) struct SentReaction {
    pub(crate) event_id: EventId,
}

/// A page of the history of a room.
#[derive(Serialize, JsonSchema)]
pub(crate) struct History {
    messages: Vec<Message>,
    /// The `from_token` of the next older page.
    end_token: Option<String>,
    /// The `from_token` of the next newer page, with `direction=forward`.
    start_token: Option<String>,
    /// Whether there may be more messages in the direction of reading.
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
            reply_to: message.reply_to,
            formatted_body: message.formatted_body,
            mentions: Mentions { hub_user_ids: message.mentions.users, room: message.mentions.room },
            txn_id: message.txn_id,
            edited: message.is_edited,
            reactions: message.reactions.into_iter().map(Reaction::from).collect(),
        }
    }
}

impl From<message::ReactionCount> for Reaction {
    fn from(reaction: message::ReactionCount) -> Self {
        Self { key: reaction.key, count: reaction.count, own_event: reaction.is_own }
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
            start_token: history.start_token,
            has_more: history.has_more,
        }
    }
}
