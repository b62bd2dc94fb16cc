//! Events of the log: what is told, to whom, and in which bytes.

mod line;

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use crate::domain::{
    error::Result,
    id::{EventId, HubUserId, NotificationId, Position, RoomId, TenantId},
};

pub(crate) use line::one_line;

/// Who hears an event. Decided when it is appended, by the server.
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
    /// Whose it is.
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Tenant(tenant) | Self::User(tenant, _) | Self::Room(tenant, _) => *tenant,
        }
    }

    /// Reads the stored form back (see `Display`).
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
    /// A satellite said something.
    Notification,
    /// Somebody wrote into a room.
    NewMessage,
    /// A message says something else now.
    MessageEdited,
    /// A message or a reaction is gone.
    MessageRedacted,
    /// Somebody reacted to a message.
    Reaction,
    /// The audience of this event, one user, came into a room.
    RoomJoined,
    /// The audience of this event, one user, is out of a room.
    RoomLeft,
    /// The audience of this event, one user, has read a room on one of their devices.
    Unread,
    /// The audience of this event, one user, is no longer of this tenant.
    AccessWithdrawn,
    /// The audience of this event, one user, has another role.
    RoleChanged,
}

/// What stands in the log.
const STORED: [Kind; 10] = [
    Kind::Notification,
    Kind::NewMessage,
    Kind::MessageEdited,
    Kind::MessageRedacted,
    Kind::Reaction,
    Kind::RoomJoined,
    Kind::RoomLeft,
    Kind::Unread,
    Kind::AccessWithdrawn,
    Kind::RoleChanged,
];

impl Kind {
    /// The value of `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::NewMessage => "new_message",
            Self::MessageEdited => "message_edited",
            Self::MessageRedacted => "message_redacted",
            Self::Reaction => "reaction",
            Self::RoomJoined => "room_joined",
            Self::RoomLeft => "room_left",
            Self::Unread => "unread",
            Self::AccessWithdrawn => "access_withdrawn",
            Self::RoleChanged => "role_changed",
        }
    }

    /// Reads the stored form back.
    pub fn parse(stored: &str) -> Option<Self> {
        STORED.into_iter().find(|kind| kind.as_str() == stored)
    }
}

/// An event to be appended.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// Who hears it.
    pub audience: Audience,
    /// What it is.
    pub kind: Kind,
    /// Its fields beside `type`, as a JSON object.
    pub payload: Payload,
    /// What makes it the same event when it comes again (a Matrix event id); `None` if it cannot.
    pub key: Option<EventId>,
}

/// An event of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Where it stands.
    pub position: Position,
    /// Who hears it.
    pub audience: Audience,
    /// What it is.
    pub kind: Kind,
    /// The notification it tells of; its id is known only when it is stored.
    pub notification: Option<NotificationId>,
    /// Its fields beside `type`, as a JSON object.
    pub payload: Payload,
    /// The message or reaction whose content the payload holds; `None` for a notification, whose text belongs to its
    /// satellite.
    pub about: Option<EventId>,
    /// Whether it tells of a redaction: what was told before about the same is emptied in the log.
    pub is_redaction: bool,
}

/// The fields of an event as the text of a JSON object: serialised once, whatever the number of readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(String);

impl Payload {
    /// Serialises the fields.
    ///
    /// # Errors
    /// When the value is no JSON object.
    pub fn of(fields: &impl Serialize) -> Result<Self> {
        let text = serde_json::to_string(fields)
            .map_err(|error| crate::Error::internal("serialising a payload", error))?;
        if text.starts_with('{') {
            Ok(Self(text))
        } else {
            Err(crate::Error::internal("serialising a payload", "it is no JSON object"))
        }
    }

    /// Wraps what a store gave back.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The bytes of an event, made once and shared by all its readers.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Where it stands.
    pub position: Position,
    /// Who hears it.
    pub audience: Audience,
    /// The change of membership it tells of.
    pub membership: Option<Membership>,
    /// The message or reaction whose content it holds.
    pub about: Option<EventId>,
    /// Whether it tells of a redaction.
    pub is_redaction: bool,
    /// As Server-Sent Event: `id:` and `data:`.
    pub sse: Bytes,
}

/// A change of what a user hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// The user hears this room from now on.
    Joined(RoomId),
    /// The user hears it no longer.
    Left(RoomId),
    /// The user's streams end: their tenant or role is another one.
    Withdrawn,
}

impl Event {
    /// The event as the JSON object of a poll, with its position as `id`.
    pub fn json(&self) -> String {
        format!("{{\"id\":{},{}", self.position, self.fields())
    }

    /// The event as the bytes of a stream.
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

    /// `type` and all fields, without the opening brace and with the closing one.
    fn fields(&self) -> String {
        let kind = self.kind.as_str();
        let payload = self.payload.as_str().trim_start_matches('{');
        let separator = if payload.starts_with('}') { "" } else { "," };
        match self.notification {
            Some(id) => format!("\"type\":\"{kind}\",\"notification_id\":{id}{separator}{payload}"),
            None => format!("\"type\":\"{kind}\"{separator}{payload}"),
        }
    }

    fn membership(&self) -> Option<Membership> {
        let room = || {
            let fields: Value = serde_json::from_str(self.payload.as_str()).ok()?;
            Some(RoomId::new(fields.get("room_id")?.as_str()?))
        };
        match self.kind {
            Kind::RoomJoined => room().map(Membership::Joined),
            Kind::RoomLeft => room().map(Membership::Left),
            Kind::AccessWithdrawn | Kind::RoleChanged => Some(Membership::Withdrawn),
            _ => None,
        }
    }
}

/// The event that tells one user, and the streams, that they are in a room now.
pub fn room_joined(tenant: TenantId, room: &RoomId, user: &HubUserId) -> Result<NewEvent> {
    Ok(NewEvent {
        audience: Audience::User(tenant, user.clone()),
        kind: Kind::RoomJoined,
        payload: Payload::of(&json!({ "room_id": room }))?,
        key: None,
    })
}
