//! The port of the stored results of ingested events.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    domain::{
        admin::{Administrator, Redaction},
        alarm::AlarmPart,
        error::Result,
        event::{Kind, Payload},
        id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
        media::{File, Mxc, Posted},
        message::{Mentions, MessageContent, ReactionCount},
    },
    port::NewReaction,
};

/// An ingested event: a room event, and all that follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestedEvent {
    /// The id of the Matrix event. An event with a known id is ingested no second time.
    pub event_id: EventId,
    /// The tenant of the room.
    pub tenant: TenantId,
    /// The room.
    pub room: RoomId,
    /// The sender of the event.
    pub sender: MatrixUserId,
    /// The time of the event, according to the homeserver (`origin_server_ts`).
    pub timestamp: Timestamp,
    /// The change that is stored.
    pub change: Change,
    /// The payload of the live event for the members of the room; `None` if there is no live event.
    pub payload: Option<Payload>,
    /// Its part in an alarm.
    pub alarm: Option<AlarmPart>,
}

/// A stored change that follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new message, which its sender has read.
    Message {
        /// The user who sent it; `None` if the sender is no user of this service.
        by: Option<HubUserId>,
        /// The line that represents it in lists of rooms.
        summary: String,
        /// The file in it. The members may read it if the sender owns it.
        file: Option<File>,
        /// The users whom it mentions. It counts among their mentions until they have read it.
        mentions: Mentions<HubUserId>,
        /// The text that search finds; `None` if it is not searched.
        text: Option<String>,
    },
    /// A message with new content.
    Edited {
        /// The message.
        of: EventId,
        /// The sender of the edit, who is also the sender of the message.
        by: MatrixUserId,
        /// The new content.
        content: MessageContent,
    },
    /// The redaction of a message, with its edits and files.
    Redacted {
        /// The message.
        of: EventId,
    },
    /// The redaction of an edit: its message has the content that it has without this edit.
    RedactedEdit {
        /// The edit.
        edit: EventId,
    },
    /// A reaction to a message.
    Reaction {
        /// The message.
        of: EventId,
        /// The emoji or text. A key of more than [`REACTION_KEY_MAX`](crate::domain::message::REACTION_KEY_MAX) characters is not stored.
        key: String,
    },
    /// A user who joined the room.
    Joined(HubUserId),
    /// A user who left the room.
    Left(HubUserId),
    /// The new name of the room.
    Named(String),
    /// The new topic of the room.
    Topic(String),
}

/// An edit of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The message.
    pub of: EventId,
    /// The sender of the edit. It counts only if the same user sent the message.
    pub by: MatrixUserId,
    /// The new content.
    pub content: MessageContent,
}

/// A redacted edit: the state of its message without it.
#[derive(Debug, Clone, PartialEq)]
pub struct RedactedEdit {
    /// The message.
    pub of: EventId,
    /// The last other edit by the same sender, with its content; `None` if the original content is valid
    /// again.
    pub last: Option<(EventId, MessageContent)>,
}

/// The stored results of ingested events: edits, file owners, and event ids.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Stores events and their live events in the given order, in one transaction: all or none of them.
    ///
    /// An event whose id is known is skipped. Returns the number of new events.
    async fn ingest(&self, events: &[IngestedEvent]) -> Result<usize>;

    /// Returns whether this event was ingested.
    async fn is_ingested(&self, event: &EventId) -> Result<bool>;

    /// Returns the last edit of each of these messages by each sender of edits.
    async fn edits(&self, of: &[EventId]) -> Result<Vec<Edit>>;

    /// Returns the same for all messages of a room; `None` if the room has more than `most` edits.
    async fn edits_in(&self, room: &RoomId, most: u32) -> Result<Option<Vec<Edit>>>;

    /// Returns the reactions to messages of rooms, for a user who reads them: each key of a message with the
    /// number of its users, at most `most` keys of each message, the most frequent and oldest ones first.
    async fn reactions(
        &self,
        of: &[(RoomId, EventId)],
        reader: &MatrixUserId,
        most: u32,
    ) -> Result<Vec<(EventId, ReactionCount)>>;

    /// Returns the reactions of a user to a message with a key, oldest first.
    async fn reactions_of(&self, reaction: NewReaction<'_>) -> Result<Vec<EventId>>;

    /// Returns the state of a message without this edit; `None` if no such edit of this room was ingested.
    /// Changes nothing.
    async fn without(&self, tenant: TenantId, room: &RoomId, edit: &EventId) -> Result<Option<RedactedEdit>>;

    /// Appends an administrator's redaction of another user's message to the audit log.
    async fn record_redaction(&self, administrator: &Administrator, redaction: Redaction<'_>) -> Result<()>;

    /// Stores the owner of a file: the user who uploaded it, even if others name it in messages.
    async fn own(&self, file: &Mxc, owner: &MatrixUserId) -> Result<()>;

    /// Returns a file that its owner posted in a room of the user; `None` if there is no such file.
    ///
    /// The owner of a file without a stored upload ([`own`](Self::own)) is the sender of the earliest message
    /// that names it. That is decided over all tenants by the homeserver's time, and a redaction does not
    /// change it.
    async fn posted(&self, tenant: TenantId, user: &HubUserId, file: &Mxc) -> Result<Option<Posted>>;
}

impl Change {
    /// Returns the file that the new content names.
    pub fn file(&self) -> Option<&File> {
        match self {
            Self::Message { file, .. } => file.as_ref(),
            Self::Edited { content, .. } => content.file.as_ref(),
            _ => None,
        }
    }

    /// Returns the kind of the live event for the members of the room; `None` if there is none.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Message { .. } => Some(Kind::NewMessage),
            Self::Edited { .. } | Self::RedactedEdit { .. } => Some(Kind::MessageEdited),
            Self::Redacted { .. } => Some(Kind::MessageRedacted),
            Self::Reaction { .. } => Some(Kind::Reaction),
            Self::Joined(_) | Self::Left(_) | Self::Named(_) | Self::Topic(_) => None,
        }
    }
}
