//! Events of a room (Matrix specification, "Events"), as far as this service uses them.

use jiff::Timestamp;

use crate::domain::{
    alarm::EpisodeId,
    id::{EventId, HubUserId, MatrixUserId, NotificationId, RoomId},
    message::{Mentions, Message, MessageContent},
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
    /// The episode of an alarm that its content names. Only the bot's counts, too.
    pub alarm: Option<EpisodeId>,
    /// The message to whose thread it belongs.
    pub thread: Option<EventId>,
}

impl RoomEvent {
    /// Returns an event that this service has sent, as the homeserver will return it.
    pub(crate) fn sent(
        event_id: EventId,
        room: &RoomId,
        sender: MatrixUserId,
        timestamp: Timestamp,
        content: Content,
    ) -> Self {
        let room_id = room.clone();
        Self {
            event_id,
            room_id,
            sender,
            timestamp,
            content,
            edited: None,
            notification: None,
            alarm: None,
            thread: None,
        }
    }
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
    /// Returns whether this event redacts an event of the batch, acts on a message of an alarm in it, or ends a
    /// membership that began in it. The batch must then be stored before this event is interpreted.
    pub(crate) fn needs_one_of<'e>(&self, mut batch: impl Iterator<Item = &'e Self>) -> bool {
        batch.any(|event| match (&self.content, &event.content) {
            (Content::Redacted { of }, _) => event.event_id == *of,
            (Content::Reaction { of, .. }, _) => event.alarm.is_some() && event.event_id == *of,
            (Content::Message(_), _) => event.alarm.is_some() && self.answered() == Some(&event.event_id),
            (Content::Left(out), Content::Joined(into)) => out == into && self.room_id == event.room_id,
            _ => false,
        })
    }

    /// Returns the sender, the user whose membership changes, and the mentioned users.
    pub(crate) fn people(&self) -> impl Iterator<Item = &MatrixUserId> {
        let subject = match &self.content {
            Content::Joined(user) | Content::Left(user) | Content::Invited(user) => Some(user),
            _ => None,
        };
        let mentioned = self.mentions().into_iter().flat_map(|mentions| &mentions.users);
        [Some(&self.sender), subject].into_iter().flatten().chain(mentioned)
    }

    /// Returns the mentions of a message or edit.
    pub(crate) fn mentions(&self) -> Option<&Mentions<MatrixUserId>> {
        match &self.content {
            Content::Message(content) | Content::Edited { content, .. } => Some(&content.mentions),
            _ => None,
        }
    }

    /// Returns whether a retry was sent with another content than this event, the first one of its transaction.
    ///
    /// Returns `false` for an event that is edited, redacted or of another kind: its first content is not known.
    pub(crate) fn differs_from(&self, retry: &Self) -> bool {
        match (&self.content, &retry.content) {
            (Content::Message(first), Content::Message(retry)) => {
                self.edited.is_none() && first.differs_from(retry)
            }
            (Content::Edited { content: first, .. }, Content::Edited { content: retry, .. }) => {
                first.differs_from(retry)
            }
            _ => false,
        }
    }

    /// Returns the event to which a message replies, else the one to whose thread it belongs.
    pub(crate) fn answered(&self) -> Option<&EventId> {
        let Content::Message(content) = &self.content else { return None };
        content.reply_to.as_ref().or(self.thread.as_ref())
    }

    /// Returns whether this service sends such events for users, who may wait for them to be ingested.
    pub(crate) fn may_be_awaited(&self) -> bool {
        matches!(
            self.content,
            Content::Message(_)
                | Content::Edited { .. }
                | Content::Redacted { .. }
                | Content::Reaction { .. }
        )
    }

    /// Returns the message with the content of an edit, which does not change to what it replies.
    pub(crate) fn with_edit(mut self, edit: Option<MessageContent>) -> Self {
        if let (Content::Message(content), Some(edit)) = (&mut self.content, edit) {
            let (reply_to, txn_id) = (content.reply_to.take(), content.txn_id.take());
            *content = MessageContent { reply_to, txn_id, ..edit };
        }
        self
    }
}

impl RoomEvent {
    /// The message that it is; `None` if it is another event. `mentions` are the Hub users whom it mentions.
    pub(crate) fn message(
        self,
        sender_display_name: String,
        mentions: Mentions<HubUserId>,
    ) -> Option<Message> {
        let Content::Message(content) = self.content else { return None };
        let MessageContent { body, msg_type, file, formatted_body, mentions: _, reply_to, txn_id } = content;
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
            alarm: None,
            formatted_body,
            mentions,
            reply_to,
            txn_id,
            is_edited: false,
            reactions: Vec::new(),
        })
    }
}
