//! Live events: their audience, kind and payload, and their form for clients.

mod line;
pub mod payload;

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{
    error::Result,
    id::{EventId, HubUserId, NotificationId, Position, RoomId, TenantId},
    time::Rfc3339,
};

pub(crate) use line::one_line;

/// The readers of an event. The server decides it when the event is appended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Audience {
    /// Everybody of a tenant.
    Tenant(TenantId),
    /// One user of a tenant.
    User(TenantId, HubUserId),
    /// The joined members of a room.
    Room(TenantId, RoomId),
}

impl Audience {
    /// Returns the tenant.
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Tenant(tenant) | Self::User(tenant, _) | Self::Room(tenant, _) => *tenant,
        }
    }

    /// Parses the stored form (see `Display`); `None` if it is invalid.
    pub fn parse(stored: &str) -> Option<Self> {
        let (tenant, rest) = stored.strip_prefix('t')?.split_once(':')?;
        let tenant = TenantId(tenant.parse().ok()?);
        match rest.split_at_checked(2)? {
            ("u:", user) => Some(Self::User(tenant, HubUserId::new(user))),
            ("r:", room) => Some(Self::Room(tenant, RoomId::new(room))),
            ("a:", "") => Some(Self::Tenant(tenant)),
            _ => None,
        }
    }
}

/// The stored form: the tenant first, then `a:` (all), `u:<user>` or `r:<room>`.
impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "t{tenant}:a:"),
            Self::User(tenant, user) => write!(f, "t{tenant}:u:{user}"),
            Self::Room(tenant, room) => write!(f, "t{tenant}:r:{room}"),
        }
    }
}

/// The `type` of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A notification of a satellite.
    Notification,
    /// The message of a notification stands in its room.
    NotificationSent,
    /// An alarm that has changed.
    Alarm,
    /// Notifications that the audience, one user, has read on one of their devices.
    InboxRead,
    /// A new message in a room.
    NewMessage,
    /// A message with new content.
    MessageEdited,
    /// The redaction of a message or reaction.
    MessageRedacted,
    /// A reaction to a message.
    Reaction,
    /// A room that the audience, one user, has joined.
    RoomJoined,
    /// A room that the audience, one user, has left.
    RoomLeft,
    /// A room that the audience, one user, has read on one of their devices.
    Unread,
    /// A room whose sounds the audience, one user, has switched off or on.
    RoomMuted,
    /// The end of the membership of the audience, one user, in this tenant.
    AccessWithdrawn,
    /// A new role of the audience, one user.
    RoleChanged,
}

/// The kinds of events that are stored in the log.
pub const STORED: [Kind; 14] = [
    Kind::Notification,
    Kind::NotificationSent,
    Kind::Alarm,
    Kind::InboxRead,
    Kind::NewMessage,
    Kind::MessageEdited,
    Kind::MessageRedacted,
    Kind::Reaction,
    Kind::RoomJoined,
    Kind::RoomLeft,
    Kind::Unread,
    Kind::RoomMuted,
    Kind::AccessWithdrawn,
    Kind::RoleChanged,
];

impl Kind {
    /// Returns the value of `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::NotificationSent => "notification_sent",
            Self::Alarm => "alarm",
            Self::InboxRead => "inbox_read",
            Self::NewMessage => "new_message",
            Self::MessageEdited => "message_edited",
            Self::MessageRedacted => "message_redacted",
            Self::Reaction => "reaction",
            Self::RoomJoined => "room_joined",
            Self::RoomLeft => "room_left",
            Self::Unread => "unread",
            Self::RoomMuted => "room_muted",
            Self::AccessWithdrawn => "access_withdrawn",
            Self::RoleChanged => "role_changed",
        }
    }

    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(stored: &str) -> Option<Self> {
        STORED.into_iter().find(|kind| kind.as_str() == stored)
    }
}

/// An event to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Its audience.
    pub audience: Audience,
    /// Its kind.
    pub kind: Kind,
    /// The room that it is about; `None` if it is about no room, or if the room is still to be created.
    pub room: Option<RoomId>,
    /// Its fields beside `type`, as a JSON object.
    pub payload: Payload,
    /// The Matrix event id by which a repeated event is recognised; `None` if the event cannot be repeated.
    pub key: Option<EventId>,
}

/// An event of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its position.
    pub position: Position,
    /// Its audience.
    pub audience: Audience,
    /// Its kind.
    pub kind: Kind,
    /// The notification that it is about. The payload has no notification id, because that is assigned when
    /// the notification is stored.
    pub notification: Option<NotificationId>,
    /// The time at which the notification that it announces was stored; `None` for other kinds.
    pub notification_created_at: Option<Timestamp>,
    /// The room that it is about; `None` if it is about no room, or if the room is still to be created.
    pub room: Option<RoomId>,
    /// Its fields beside `type`, as a JSON object.
    pub payload: Payload,
    /// The message or reaction whose content the payload holds; `None` for a notification, whose text belongs
    /// to its satellite.
    pub about: Option<EventId>,
    /// Whether it reports a redaction. Earlier payloads about the same message are then emptied in the log.
    pub is_redaction: bool,
}

/// The fields of an event as the text of a JSON object. It is serialised once for all readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(String);

impl Payload {
    /// Serialises the fields.
    ///
    /// # Errors
    /// Fails if the value is no JSON object.
    pub fn of(fields: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_string(fields)
            .map_err(|error| crate::Error::internal("serialising a payload", error))?;
        if text.starts_with('{') {
            Ok(Self(text))
        } else {
            Err(crate::Error::internal("serialising a payload", "it is no JSON object"))
        }
    }

    /// Wraps a stored payload.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An encoded event, shared by all its readers.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Its position.
    pub position: Position,
    /// Its audience.
    pub audience: Audience,
    /// The change of membership that it reports.
    pub membership: Option<Membership>,
    /// The message or reaction whose content it holds.
    pub about: Option<EventId>,
    /// Whether it reports a redaction.
    pub is_redaction: bool,
    /// The bytes of the server-sent event: `id` and `data`.
    pub sse: Bytes,
}

/// A change of a user's audiences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// The user receives the events of this room from now on.
    Joined(RoomId),
    /// The user no longer receives the events of this room.
    Left(RoomId),
    /// The user's streams end, because their tenant or role has changed.
    Withdrawn,
}

impl Event {
    /// Returns the event as the JSON object of a poll, with its position as `id`.
    pub fn json(&self) -> String {
        format!("{{\"id\":{},{}", self.position, self.fields())
    }

    /// Returns the event encoded for event streams.
    pub fn frame(&self) -> Frame {
        let sse = format!("id: {}\ndata: {{{}\n\n", self.position, one_line(self.fields()));
        Frame {
            position: self.position,
            audience: self.audience.clone(),
            membership: self.membership(),
            about: self.about.clone(),
            is_redaction: self.is_redaction,
            sse: Bytes::from(sse),
        }
    }

    /// Returns `type` and all fields as JSON, without the opening and with the closing brace.
    fn fields(&self) -> String {
        let kind = self.kind.as_str();
        let payload = self.payload.as_str().trim_start_matches('{');
        let separator = if payload.starts_with('}') { "" } else { "," };
        let id = self.notification.map(|id| format!(",\"notification_id\":{id}")).unwrap_or_default();
        let created_at = self.notification_created_at.map(Rfc3339);
        let created_at = created_at.map(|at| format!(",\"created_at\":\"{at}\"")).unwrap_or_default();
        format!("\"type\":\"{kind}\"{id}{created_at}{separator}{payload}")
    }

    fn membership(&self) -> Option<Membership> {
        match self.kind {
            Kind::RoomJoined => self.room.clone().map(Membership::Joined),
            Kind::RoomLeft => self.room.clone().map(Membership::Left),
            Kind::AccessWithdrawn | Kind::RoleChanged => Some(Membership::Withdrawn),
            _ => None,
        }
    }
}
