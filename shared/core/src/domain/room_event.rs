//! Events of a room (Matrix specification, "Events"), as far as this service uses them.

use jiff::Timestamp;

use crate::domain::{
    id::{EventId, MatrixUserId, RoomId},
    message::{Message, MessageContent},
};

/// An event of a room, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomEvent {
    /// Its id.
    pub event_id: EventId,
    /// Where.
    pub room_id: RoomId,
    /// Who.
    pub sender: MatrixUserId,
    /// When the homeserver got it.
    pub timestamp: Timestamp,
    /// What, as it was at first.
    pub content: Content,
    /// What a message says now, if it was edited and the homeserver says so along with it. The edit is an event of its
    /// own, which may be taken back.
    pub edited: Option<MessageContent>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// `m.room.message`; a sticker, as an image; a poll, as the text that stands for it.
    Message(MessageContent),
    /// An edit (Matrix specification, "Event replacements").
    Edited {
        /// The message that is replaced.
        of: EventId,
        /// What it says now.
        said: MessageContent,
    },
    /// `m.room.redaction`.
    Redacted {
        /// What is gone.
        of: EventId,
    },
    /// `m.reaction`.
    Reaction {
        /// To what.
        of: EventId,
        /// Mostly an emoji.
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
        /// Whether it keeps what was said before from who comes in later: `joined` or `invited`.
        is_restricted: bool,
    },
    /// `m.room.tombstone`.
    Upgraded,
}

impl RoomEvent {
    /// What is taken back, and who comes in, must be stored before the contrary is judged.
    pub(crate) fn undoes_one_of<'e>(&self, mut batch: impl Iterator<Item = &'e Self>) -> bool {
        batch.any(|event| match (&self.content, &event.content) {
            (Content::Redacted { of }, _) => event.event_id == *of,
            (Content::Left(out), Content::Joined(into)) => out == into && self.room_id == event.room_id,
            _ => false,
        })
    }

    /// Who has to do with it.
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
        })
    }
}
