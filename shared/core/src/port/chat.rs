//! The ports of conversations: the stored results of ingested events, and the timelines on the homeserver.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    error::Result,
    event::{Kind, Payload},
    id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
    lease::Lease,
    media::{Download, File, Mxc, Posted, Upload},
    message::MessageContent,
    receipt::Receipt,
    room::Marks,
    room_event::RoomEvent,
    typing::Typing,
    user::User,
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
    /// A reaction. Nothing is stored but its live event.
    Reaction,
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

    /// Returns whether the user is a member of the room in this tenant.
    async fn is_member(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<bool>;

    /// Returns the last edit of each of these messages by each sender of edits.
    async fn edits(&self, of: &[EventId]) -> Result<Vec<Edit>>;

    /// Returns the same for all messages of a room; `None` if the room has more than `most` edits.
    async fn edits_in(&self, room: &RoomId, most: u32) -> Result<Option<Vec<Edit>>>;

    /// Returns the state of a message without this edit; `None` if no such edit of this room was ingested.
    /// Changes nothing.
    async fn without(&self, tenant: TenantId, room: &RoomId, edit: &EventId) -> Result<Option<RedactedEdit>>;

    /// Returns the users with these Matrix localparts. A user whose account this service did not create is
    /// left out.
    async fn people(&self, localparts: &[String]) -> Result<Vec<User>>;

    /// Stores the owner of a file: the user who uploaded it, even if others name it in messages.
    async fn own(&self, file: &Mxc, owner: &MatrixUserId) -> Result<()>;

    /// Returns a file that its owner posted in a room of the user; `None` if there is no such file.
    ///
    /// The owner of a file without a stored upload ([`own`](Self::own)) is the sender of the earliest message
    /// that names it. That is decided over all tenants by the homeserver's time, and a redaction does not
    /// change it.
    async fn posted(&self, tenant: TenantId, user: &HubUserId, file: &Mxc) -> Result<Option<Posted>>;
}

/// The stored sync token of the homeserver's `/sync`, and the lease of the worker that reads it.
#[async_trait]
pub trait Reconciliation: Send + Sync {
    /// Claims or renews the lease on reading, and returns the stored sync token; `None` if none is stored.
    async fn claim(&self, worker: &str, lease: Duration) -> Result<Lease<Option<String>>>;

    /// Renews the lease, and stores the sync token if there is one. Writes nothing if the lease is lost.
    async fn advance(&self, worker: &str, position: Option<&str>, lease: Duration) -> Result<Lease<()>>;

    /// Returns the stored sync token; `None` if there is none yet. Everything before it was ingested.
    async fn position(&self) -> Result<Option<String>>;

    /// Returns the time at which the sync token was stored last, even if it did not change.
    ///
    /// The ids of events that were ingested later than one day before that time are kept. Older ones may be
    /// deleted.
    async fn moved_at(&self) -> Result<Timestamp>;

    /// Stores that the homeserver has just pushed a transaction.
    async fn note_push(&self) -> Result<()>;

    /// Returns the time since [`note_push`](Self::note_push); `None` if the homeserver has never pushed.
    async fn since_push(&self) -> Result<Option<Duration>>;
}

/// A page of a room's events.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelinePage {
    /// The events that this service uses, in the requested order.
    pub events: Vec<RoomEvent>,
    /// The ids of all events of the page, in the same order. They include unused and redacted events.
    pub ids: Vec<EventId>,
    /// The token at which the page begins.
    pub start: String,
    /// The token at which the next page begins; `None` if this is the last page.
    pub end: Option<String>,
}

/// The changes in all rooms since a sync token.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// The rooms with new events.
    pub rooms: Vec<RoomChanges>,
    /// The rooms into which the bot is invited, each with its inviter.
    pub invitations: Vec<(RoomId, MatrixUserId)>,
    /// The changed typing notifications.
    pub typing: Vec<Typing>,
    /// The receipts of other clients.
    pub receipts: Vec<Receipt>,
    /// The rooms that the bot has left, or from which it was removed.
    pub left: Vec<RoomId>,
    /// The sync token after these changes.
    pub next: String,
}

/// The new events of a room.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomChanges {
    /// The room.
    pub room: RoomId,
    /// The events, oldest first.
    pub events: Vec<RoomEvent>,
    /// Whether earlier events since the sync token are left out (`limited`).
    pub is_limited: bool,
}

/// The state of a room, as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// The creator of the room.
    pub made_by: MatrixUserId,
    /// The time of its creation, according to the homeserver.
    pub made_at: Timestamp,
    /// Its canonical alias.
    pub alias: Option<String>,
    /// Its current name.
    pub name: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// Whether it is a space, which contains rooms.
    pub is_space: bool,
    /// Whether it was replaced by another room.
    pub is_upgraded: bool,
    /// The room that it claims to replace.
    pub predecessor: Option<RoomId>,
    /// Whether it is encrypted, and whether its history visibility hides earlier messages from new members.
    pub marks: Marks,
    /// Whether it was created as a direct chat.
    pub is_direct: bool,
    /// Its joined and invited members.
    pub people: Vec<RoomMember>,
}

impl RoomSummary {
    /// Returns whether the user has joined the room.
    pub fn has_joined(&self, user: &MatrixUserId) -> bool {
        self.people.iter().any(|person| person.is_joined && person.id == *user)
    }
}

/// A joined or invited member of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMember {
    /// The member.
    pub id: MatrixUserId,
    /// Whether the member has joined; `false` if they are only invited.
    pub is_joined: bool,
}

/// The events of rooms on the homeserver, read as the bot, which is in all rooms.
#[async_trait]
pub trait Timeline: Send + Sync {
    /// Sends `m.room.message` as a user, who must be in the room. `at` becomes the time of the event, in
    /// milliseconds.
    ///
    /// Repeating a transaction id sends nothing and returns the first event, for at least a day. The id must
    /// not be used for another user or room.
    async fn send_as(
        &self,
        room: &RoomId,
        sender: &MatrixUserId,
        transaction: &str,
        at: Timestamp,
        content: &serde_json::Value,
    ) -> Result<EventId>;

    /// Returns the messages before a token, newest first; without a token, from the end of the room.
    ///
    /// A homeserver that can filter leaves out all other events. With a `reader`, the page is read as that
    /// user, without the events that the history visibility of the room hides from them; without one, as the
    /// bot.
    ///
    /// # Errors
    /// [`Failure::UnknownPosition`](crate::error::Failure::UnknownPosition) if the homeserver does not know
    /// the token.
    async fn before(
        &self,
        room: &RoomId,
        from: Option<&str>,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<TimelinePage>;

    /// Returns all events before a token that this service uses, newest first. Else as
    /// [`before`](Self::before) as the bot.
    async fn all_before(&self, room: &RoomId, from: Option<&str>, limit: u32) -> Result<TimelinePage>;

    /// Returns the events after a sync token of [`changes`](Self::changes) or after the end of a page, oldest
    /// first.
    ///
    /// # Errors
    /// [`Failure::UnknownPosition`](crate::error::Failure::UnknownPosition) if the homeserver does not know
    /// the token.
    async fn after(&self, room: &RoomId, from: &str, limit: u32) -> Result<TimelinePage>;

    /// Returns an event; `None` if the room has no such event, or if this service does not use it.
    async fn event(&self, room: &RoomId, event: &EventId) -> Result<Option<RoomEvent>>;

    /// Returns the ids of an event and of at most `limit` events before it, newest first and of any type.
    /// Returns none if the room has no such event.
    async fn up_to(&self, room: &RoomId, event: &EventId, limit: u32) -> Result<Vec<EventId>>;

    /// Returns the changes in all rooms since a sync token, and waits up to `patience` if there are none.
    /// Without a token it returns the current state.
    ///
    /// Conduit treats an unknown token as none, and reports it only in [`after`](Self::after).
    ///
    /// # Errors
    /// [`Failure::UnknownPosition`](crate::error::Failure::UnknownPosition) if the homeserver does not know
    /// the token.
    async fn changes(&self, since: Option<&str>, patience: Duration) -> Result<Changes>;

    /// Returns the state of a room as `member` sees it. The bot need not be in the room.
    async fn summary(&self, room: &RoomId, member: &MatrixUserId) -> Result<RoomSummary>;

    /// Makes the bot a member of the room. If nobody has invited it yet, `member` invites it.
    async fn enter(&self, room: &RoomId, member: &MatrixUserId) -> Result<()>;
}

/// The files in messages.
#[async_trait]
pub trait Files: Send + Sync {
    /// Stores a file as a user. Its bytes are streamed, not buffered.
    async fn upload(&self, sender: &MatrixUserId, upload: Upload) -> Result<Mxc>;

    /// Returns a file, whose bytes are read as they arrive; `None` if there is no such file.
    async fn download(&self, file: &Mxc) -> Result<Option<Download>>;
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
            Self::Reaction => Some(Kind::Reaction),
            Self::Joined(_) | Self::Left(_) | Self::Named(_) | Self::Topic(_) => None,
        }
    }
}
