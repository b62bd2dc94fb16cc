//! Events of a room (Matrix specification, "Events"), as far as this service uses them.

use jiff::Timestamp;

use crate::domain::{
    id::{EventId, MatrixUserId, NotificationId, RoomId},
    message::{Message, MessageContent},
};

/// An event of a room, as far as this service uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    /// The id of the event.
    pub event_id: EventId,
    /// The room.
    pub room_id: RoomId,
    /// The sender.
    pub sender: MatrixUserId,
    /// The time of the event, according to the homeserver (`origin_server_ts`).
    pub timestamp: Timestamp,
    /// The original content.
    pub content: Content,
    /// The current content of a message, if the homeserver bundles its last edit with it. The edit is an
    /// event of its own, which may be redacted.
    pub edited: Option<MessageContent>,
    /// The notification that its content names. Anybody can write such content: only the bot's counts.
    pub notification: Option<NotificationId>,
}

/// The content of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// `m.room.message`; a sticker, as an image; a poll, as its fallback text.
    Message(MessageContent),
    /// An edit (Matrix specification, "Event replacements").
    Edited {
        /// The edited message.
        of: EventId,
        /// The new content.
        content: MessageContent,
    },
    /// `m.room.redaction`.
    Redacted {
        /// The redacted event.
        of: EventId,
    },
    /// `m.reaction`.
    Reaction {
        /// The event to which the sender reacted.
        of: EventId,
        /// The reaction, in most cases an emoji.
        key: String,
    },
    /// `m.room.member` with `membership: join`.
    Joined(MatrixUserId),
    /// `m.room.member` with `leave` or `ban`.
    Left(MatrixUserId),
    /// `m.room.member` with `invite`.
    Invited(MatrixUserId),
    /// `m.room.name`.
    Named(String),
    /// `m.room.topic`.
    Topic(String),
    /// `m.room.encryption`.
    Encrypted,
    /// `m.room.history_visibility`.
    HistoryVisibility {
        /// Whether it hides earlier messages from new members: `joined` or `invited`.
        is_restricted: bool,
    },
    /// `m.room.tombstone`.
    Upgraded,
}

impl RoomEvent {
    /// Returns whether this event redacts an event of the batch, or ends a membership that began in it. The
    /// batch must then be stored before this event is interpreted.
    pub(crate) fn undoes_one_of<'e>(&self, mut batch: impl Iterator<Item = &'e Self>) -> bool {
        batch.any(|event| match (&self.content, &event.content) {
            (Content::Redacted { of }, _) => event.event_id == *of,
            (Content::Left(out), Content::Joined(into)) => out == into && self.room_id == event.room_id,
            _ => false,
        })
    }

    /// Returns the sender, and the user whose membership changes.
    pub(crate) fn people(&self) -> impl Iterator<Item = &MatrixUserId> {
        let subject = match &self.content {
            Content::Joined(user) | Content::Left(user) | Content::Invited(user) => Some(user),
            _ => None,
        };
        [Some(&self.sender), subject].into_iter().flatten()
    }
}

impl RoomEvent {
    /// The message that it is; `None` if it is another event.
    pub(crate) fn message(self, sender_display_name: String) -> Option<Message> {
        let Content::Message(MessageContent { body, msg_type, file }) = self.content else { return None };
        Some(Message {
            event_id: self.event_id,
            room_id: self.room_id,
            sender: self.sender,
            sender_display_name,
            body,
            msg_type,
            timestamp: self.timestamp,
            file,
            notification: None,
        })
    }
}
