//! The ports of conversation: what stands in rooms according to the homeserver, and what we keep of it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    error::Result,
    event::{Kind, Payload},
    id::{EventId, HubUserId, MatrixUserId, RoomId, TenantId},
    media::{Download, File, Mxc, Posted, Upload},
    message::MessageContent,
    receipt::Receipt,
    room::Marks,
    room_event::RoomEvent,
    typing::Typing,
    user::User,
};

/// An event that is taken in, with everything that follows from it.
#[derive(Debug, Clone, PartialEq)]
pub struct IngestedEvent {
    /// What makes it the same event when it comes again.
    pub event_id: EventId,
    /// Whose room.
    pub tenant: TenantId,
    /// Where.
    pub room: RoomId,
    /// The sender of the event.
    pub sender: MatrixUserId,
    /// When the homeserver got it.
    pub timestamp: Timestamp,
    /// What it changes in our tables.
    pub change: Change,
    /// What the members of the room are told; `None`: nothing.
    pub payload: Option<Payload>,
}

/// What an event changes in our tables.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The room has one more message, which its sender has read.
    Message {
        /// Who, if it is a user of ours.
        by: Option<HubUserId>,
        /// A line that stands for it.
        summary: String,
        /// The file in it. The members may read it if the sender is its owner.
        file: Option<File>,
    },
    /// A message says something else.
    Edited {
        /// Which.
        of: EventId,
        /// Who changed it: the same who wrote it.
        by: MatrixUserId,
        /// What it says now.
        said: MessageContent,
    },
    /// A message is gone, with its edits and files.
    Redacted {
        /// Which.
        of: EventId,
    },
    /// An edit is gone: its message says what it said without it.
    RedactedEdit {
        /// The edit.
        edit: EventId,
    },
    /// Nothing: it is only told.
    Reaction,
    /// The user is in the room.
    Joined(HubUserId),
    /// The user is out of the room.
    Left(HubUserId),
    /// The room has this name.
    Named(String),
    /// The room has this topic.
    Topic(String),
}

/// What a message says now.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The message.
    pub of: EventId,
    /// Who changed it; counts only if they wrote it.
    pub by: MatrixUserId,
    /// What it says.
    pub said: MessageContent,
}

/// A message without one of its edits.
#[derive(Debug, Clone, PartialEq)]
pub struct RedactedEdit {
    /// The message.
    pub of: EventId,
    /// The last other edit by the same, and what it says; `None` if the message says again what it said at first.
    pub last: Option<(EventId, MessageContent)>,
}

/// What we keep of conversations.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Takes events in, in this order, each once by its id: all or none of them. What they change in our tables and what
    /// the members are told is one act. Returns how many were new.
    async fn ingest(&self, events: &[IngestedEvent]) -> Result<usize>;

    /// Whether this event was taken in.
    async fn is_ingested(&self, event: &EventId) -> Result<bool>;

    /// Whether the user is a member of the room, in this tenant.
    async fn is_member(&self, tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<bool>;

    /// The last edit of each of these messages by each who edited it.
    async fn edits(&self, of: &[EventId]) -> Result<Vec<Edit>>;

    /// The same for all messages of a room; `None` if it has more edits than `most`.
    async fn edits_in(&self, room: &RoomId, most: u32) -> Result<Option<Vec<Edit>>>;

    /// What is left of a message without this edit; `None` if no such edit of this room was taken in.
    async fn without(&self, tenant: TenantId, room: &RoomId, edit: &EventId) -> Result<Option<RedactedEdit>>;

    /// The users whose accounts have these Matrix localparts. An account that this service did not make is nobody's.
    async fn people(&self, localparts: &[String]) -> Result<Vec<User>>;

    /// Stores who uploaded a file: its owner, whoever names it in a message.
    async fn own(&self, file: &Mxc, owner: &MatrixUserId) -> Result<()>;

    /// Returns a file if its owner posted it in a room of which the user is a member. Without an upload that is known
    /// ([`own`](Self::own)), the owner is the sender of the earliest message that names it, by the homeserver's time, in
    /// whatever tenant; also once that message is redacted.
    async fn posted(&self, tenant: TenantId, user: &HubUserId, file: &Mxc) -> Result<Option<Posted>>;
}

/// How far the homeserver's own stream has been read. One worker reads it at a time.
#[async_trait]
pub trait Reconciliation: Send + Sync {
    /// The right to read on for the time of the lease, and from where (`Some(None)`: from the beginning). `None`: it is
    /// another worker's. Again by the same worker renews it.
    async fn claim(&self, worker: &str, lease: Duration) -> Result<Option<Option<String>>>;

    /// Renews the lease, and moves the position if there is another. `false`: it is another worker's by now, and
    /// nothing has changed.
    async fn advance(&self, worker: &str, position: Option<&str>, lease: Duration) -> Result<bool>;

    /// Everything before it has been taken in; `None` if nothing was ever read.
    async fn position(&self) -> Result<Option<String>>;

    /// When the position last moved, or was stored again as it is. What was taken in since a day before that is known by
    /// its id, however long ago it is; the ids of what is older may be forgotten.
    async fn moved_at(&self) -> Result<Timestamp>;

    /// Notes that the homeserver has just pushed a transaction.
    async fn note_push(&self) -> Result<()>;

    /// The time since [`note_push`](Self::note_push). `None` if the homeserver never pushed.
    async fn since_push(&self) -> Result<Option<Duration>>;
}

/// A page of a room's events.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelinePage {
    /// In the order in which it was asked for. Events that do not concern us are left out.
    pub events: Vec<RoomEvent>,
    /// The ids of all its events, in the same order: also of those that do not concern us, as what was redacted.
    pub ids: Vec<EventId>,
    /// Where it began.
    pub start: String,
    /// Where the next one begins; `None` if there is none.
    pub end: Option<String>,
}

/// What happened in all rooms since a position.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Room by room.
    pub rooms: Vec<RoomChanges>,
    /// Rooms into which the bot is invited, and by whom.
    pub invitations: Vec<(RoomId, MatrixUserId)>,
    /// Who types in the rooms where that has changed.
    pub typing: Vec<Typing>,
    /// Receipts of other clients.
    pub receipts: Vec<Receipt>,
    /// Rooms that the bot is out of since then.
    pub left: Vec<RoomId>,
    /// The position after it.
    pub next: String,
}

/// What happened in a room.
#[derive(Debug, Clone, PartialEq)]
pub struct RoomChanges {
    /// Which.
    pub room: RoomId,
    /// Oldest first.
    pub events: Vec<RoomEvent>,
    /// Whether earlier events since the position are left out.
    pub is_limited: bool,
}

/// A room as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomSummary {
    /// Who made it.
    pub made_by: MatrixUserId,
    /// When, according to the homeserver.
    pub made_at: Timestamp,
    /// Its canonical alias.
    pub alias: Option<String>,
    /// Its name at this moment, if it has one.
    pub name: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// Whether it is a space: it holds rooms.
    pub is_space: bool,
    /// Whether it was replaced by another room.
    pub is_upgraded: bool,
    /// The room that it says it replaces.
    pub predecessor: Option<RoomId>,
    /// Whether it is encrypted, and whether who comes in later may not read what was said before.
    pub marks: Marks,
    /// Whether it was made as a direct chat.
    pub is_direct: bool,
    /// Who is in it or invited.
    pub people: Vec<RoomMember>,
}

impl RoomSummary {
    /// Whether somebody is in the room.
    pub fn has_joined(&self, user: &MatrixUserId) -> bool {
        self.people.iter().any(|person| person.is_joined && person.id == *user)
    }
}

/// Somebody who is in a room or invited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMember {
    /// Who.
    pub id: MatrixUserId,
    /// Whether they are in it.
    pub is_joined: bool,
}

/// What stands in rooms, according to the homeserver; read as the bot, which is in all of them.
#[async_trait]
pub trait Timeline: Send + Sync {
    /// Sends `m.room.message` in the name of a user, who must be in the room, as said at this time (in milliseconds).
    /// The same transaction id sends once, for at least a day; it must not be used for another user or room.
    async fn send_as(
        &self,
        room: &RoomId,
        sender: &MatrixUserId,
        transaction: &str,
        at: Timestamp,
        content: &serde_json::Value,
    ) -> Result<EventId>;

    /// The messages before a place of the room, newest first; from the end without one. Where the homeserver can do so it
    /// leaves everything else out. They are read as the bot, or as a user: then without what the history visibility of
    /// the room keeps from them. A place that it does not know is
    /// [`Failure::UnknownPosition`](crate::error::Failure::UnknownPosition), also in the next three.
    async fn before(
        &self,
        room: &RoomId,
        from: Option<&str>,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<TimelinePage>;

    /// The same with everything that concerns us.
    async fn all_before(&self, room: &RoomId, from: Option<&str>, limit: u32) -> Result<TimelinePage>;

    /// What stands after a position of [`changes`](Self::changes) or after a page, oldest first.
    async fn after(&self, room: &RoomId, from: &str, limit: u32) -> Result<TimelinePage>;

    /// One event; `None` if it is not in the room, or does not concern us.
    async fn event(&self, room: &RoomId, event: &EventId) -> Result<Option<RoomEvent>>;

    /// An event and those before it in the room, newest first, of whatever type; empty if the room has no such event.
    async fn up_to(&self, room: &RoomId, event: &EventId, limit: u32) -> Result<Vec<EventId>>;

    /// What happened since a position, in all rooms. Waits as long as `patience` while nothing did. Without a position:
    /// where things stand. Conduit takes a position that it does not know for none, and refuses it in
    /// [`after`](Self::after).
    async fn changes(&self, since: Option<&str>, patience: Duration) -> Result<Changes>;

    /// A room that the bot may not be in, seen by a member.
    async fn summary(&self, room: &RoomId, member: &MatrixUserId) -> Result<RoomSummary>;

    /// The bot is in the room: let in by a member, if nobody has invited it yet.
    async fn enter(&self, room: &RoomId, member: &MatrixUserId) -> Result<()>;
}

/// The files in messages.
#[async_trait]
pub trait Files: Send + Sync {
    /// Stores a file in the name of a user. Its bytes pass through.
    async fn upload(&self, sender: &MatrixUserId, upload: Upload) -> Result<Mxc>;

    /// A file; `None` if there is none. Its bytes come as they are read.
    async fn download(&self, file: &Mxc) -> Result<Option<Download>>;
}

impl Change {
    /// The file that it names.
    pub fn file(&self) -> Option<&File> {
        match self {
            Self::Message { file, .. } => file.as_ref(),
            Self::Edited { said, .. } => said.file.as_ref(),
            _ => None,
        }
    }

    /// The type of the event by which members are told of it.
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
