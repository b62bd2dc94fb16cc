//! The JSON of answers.

use jiff::Timestamp;
use messenger_core::{
    id::{AlarmId, EventId, HubUserId, MatrixUserId, NotificationId, RoomId, SearchPosition},
    media, message, search,
    time::{Rfc3339, rfc3339},
};
use schemars::JsonSchema;
use serde::Serialize;

/// `GET /messages/search`.
#[derive(Serialize, JsonSchema)]
pub(crate) struct FoundMessages {
    messages: Vec<FoundMessage>,
    /// The `before` of the next page; null at the end. A page may be short although another one follows.
    next_before: Option<SearchPosition>,
}

/// A message that has the words.
#[derive(Serialize, JsonSchema)]
struct FoundMessage {
    event_id: EventId,
    /// The room in which it stands.
    room_id: RoomId,
    /// The room of which the caller is a member: the same, or the one that replaced it.
    current_room_id: RoomId,
    sender: MatrixUserId,
    sender_display_name: String,
    #[serde(serialize_with = "rfc3339")]
    #[schemars(with = "Rfc3339")]
    timestamp: Timestamp,
    /// The part of the text with the words, on one line.
    excerpt: Vec<Passage>,
}

/// A part of an excerpt.
#[derive(Serialize, JsonSchema)]
struct Passage {
    text: String,
    /// Whether it is one of the words.
    #[serde(rename = "match")]
    is_match: bool,
}

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
    /// The alarm whose message it is; left out for any other message.
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm_id: Option<AlarmId>,
    /// The number of the episode of that alarm; left out for any other message.
    #[serde(skip_serializing_if = "Option::is_none")]
    alarm_episode: Option<i64>,
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
            alarm_id: message.alarm.map(|of| of.alarm),
            alarm_episode: message.alarm.map(|of| of.episode),
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

impl From<search::FoundMessages<search::SearchResult>> for FoundMessages {
    fn from(found: search::FoundMessages<search::SearchResult>) -> Self {
        Self {
            messages: found.messages.into_iter().map(FoundMessage::from).collect(),
            next_before: found.next_before,
        }
    }
}

impl From<search::SearchResult> for FoundMessage {
    fn from(result: search::SearchResult) -> Self {
        let search::SearchResult { message, sender_display_name, excerpt } = result;
        Self {
            event_id: message.event_id,
            room_id: message.room,
            current_room_id: message.current_room,
            sender: message.sender,
            sender_display_name,
            timestamp: message.timestamp,
            excerpt: excerpt
                .into_iter()
                .map(|passage| Passage { text: passage.text, is_match: passage.is_match })
                .collect(),
        }
    }
}
