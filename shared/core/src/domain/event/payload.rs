//! The payload of each kind of live event, as clients get it. No other code knows the JSON of live events.
//!
//! A payload is serialised when its event is appended. If a store appends the event itself, it stores the
//! fields, and serialises them when it reads the event. A redaction removes fields of a stored payload.

mod alarm;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::{
    error::Result,
    event::{Kind, Payload},
    id::{AlarmId, EventId, HubUserId, MatrixUserId, NotificationId, RoomId},
    media,
    message::{self, Message},
    notification::{Draft, EntityId, Priority},
    room::{self, RoomType},
    time::{rfc3339, rfc3339_or_null},
    user::Role,
};

pub use alarm::{AckedBy, Alarm, AlarmChanged};

/// The fields of a live event. `type`, and the id and time of a notification, are columns of the log and not
/// part of it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum EventPayload<'a> {
    /// `notification`.
    Notification(Notification<'a>),
    /// `notification_sent`.
    NotificationSent(NotificationSent<'a>),
    /// `alarm`.
    Alarm(Box<AlarmChanged>),
    /// `inbox_read`.
    InboxRead(InboxRead<'a>),
    /// `new_message`.
    NewMessage(NewMessage<'a>),
    /// `message_edited`.
    MessageEdited(MessageEdited<'a>),
    /// `message_redacted`.
    MessageRedacted(MessageRedacted<'a>),
    /// `reaction`.
    Reaction(Reaction<'a>),
    /// `room_joined`.
    RoomJoined(Membership<'a>),
    /// `room_left`.
    RoomLeft(RoomLeft<'a>),
    /// `unread`.
    Unread(Unread<'a>),
    /// `room_muted`.
    RoomMuted(RoomMuted<'a>),
    /// `access_withdrawn`, which has no fields.
    AccessWithdrawn {},
    /// `role_changed`.
    RoleChanged(RoleChanged),
}

/// A notification of a satellite.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Notification<'a> {
    /// The name of the satellite.
    pub source_app: &'a str,
    /// The satellite's own type of event.
    pub event_type: &'a str,
    /// One line, as readers see it.
    pub title: String,
    /// The text below the title, as readers see it.
    pub body: Option<String>,
    /// The urgency.
    pub priority: Priority,
    /// `general`, `entity_room`, `service_room` or `dm`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = crate::domain::notification::TARGET_TYPES)))]
    pub target_type: &'static str,
    /// The kind of entity; left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_type: Option<&'a str>,
    /// The id of the entity; left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<&'a EntityId>,
    /// The room, if it exists already.
    pub room_id: Option<&'a RoomId>,
    /// The alarm whose episode begins or is re-opened; left out for a notification that stands for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm_id: Option<AlarmId>,
}

/// The message of a notification, once it stands in its room.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotificationSent<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// The message.
    pub event_id: &'a EventId,
}

/// Notifications that a user has read.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InboxRead<'a> {
    /// The user has read this notification and all with smaller ids; left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to: Option<NotificationId>,
    /// The user has read these notifications; left out without any.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub ids: &'a [NotificationId],
}

/// A new message in a room.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewMessage<'a> {
    event_id: &'a EventId,
    room_id: &'a RoomId,
    sender: &'a MatrixUserId,
    sender_display_name: &'a str,
    body: &'a str,
    msg_type: &'a str,
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    timestamp: Timestamp,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    #[serde(flatten)]
    text: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    txn_id: Option<&'a str>,
}

/// The fields of a message beside its plain text.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Text<'a> {
    /// The message that it replies to.
    pub reply_to: Option<&'a EventId>,
    /// The text as HTML, as its sender wrote it: it may contain anything.
    pub formatted_body: Option<&'a str>,
    /// The users whom it mentions.
    pub mentions: Mentions<'a>,
}

/// The users whom a message mentions.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "MentionsOfEvent"))]
pub struct Mentions<'a> {
    /// The mentioned users of the tenant.
    pub hub_user_ids: &'a [HubUserId],
    /// Whether it mentions all members.
    pub room: bool,
}

/// The content of a message after an edit, or after the redaction of one.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageEdited<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// The message.
    pub event_id: &'a EventId,
    /// The edit that is shown; `None` if the message is shown as it was sent.
    pub edit_event_id: Option<&'a EventId>,
    /// The sender of the message.
    pub sender: &'a MatrixUserId,
    /// The name of the sender.
    pub sender_display_name: &'a str,
    /// The text.
    pub body: &'a str,
    /// `m.text`, `m.image`, …
    pub msg_type: &'a str,
    /// The time of the edit or redaction.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    pub timestamp: Timestamp,
    /// The file; left out without one.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub file: Option<File<'a>>,
    /// The reply, the HTML and the mentions.
    #[serde(flatten)]
    pub text: Text<'a>,
}

/// The redaction of a message or reaction.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageRedacted<'a> {
    /// The redacted message or reaction.
    pub event_id: &'a EventId,
    /// The room.
    pub room_id: &'a RoomId,
    /// The sender of the redaction.
    pub sender: &'a MatrixUserId,
    /// The name of the sender.
    pub sender_display_name: &'a str,
    /// The time of the redaction.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    pub timestamp: Timestamp,
}

/// A reaction to a message.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reaction<'a> {
    /// The message.
    pub event_id: &'a EventId,
    /// The emoji or text.
    pub key: &'a str,
    /// The reaction itself.
    pub reaction_event_id: &'a EventId,
    /// The room.
    pub room_id: &'a RoomId,
    /// The sender of the reaction.
    pub sender: &'a MatrixUserId,
    /// The name of the sender.
    pub sender_display_name: &'a str,
    /// The time of the reaction.
    #[serde(serialize_with = "rfc3339")]
    #[cfg_attr(feature = "schema", schemars(with = "crate::domain::time::Rfc3339"))]
    pub timestamp: Timestamp,
}

/// A room that a user came into.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Membership<'a> {
    /// The room as the user sees it; `None` if it is not known any more.
    pub room: Option<Room<'a>>,
    /// The id of the room.
    pub room_id: &'a RoomId,
}

/// A room that a user is out of.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomLeft<'a> {
    /// The room as the user saw it; `None` if it is not known any more.
    pub room: Option<Room<'a>>,
    /// The id of the room.
    pub room_id: &'a RoomId,
    /// The reason, if it is not the end of this one membership; left out otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<LeaveReason>,
}

/// The reason why a user is out of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LeaveReason {
    /// An administrator has closed the room for all members.
    Closed,
}

impl LeaveReason {
    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(stored: &str) -> Option<Self> {
        (stored == "closed").then_some(Self::Closed)
    }
}

/// A room as one of its members sees it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "RoomOfEvent"))]
pub struct Room<'a> {
    display_name: &'a str,
    encrypted: bool,
    entity_id: Option<&'a EntityId>,
    entity_type: Option<&'a str>,
    last_message: Option<&'a str>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<crate::domain::time::Rfc3339>"))]
    last_message_ts: Option<Timestamp>,
    matrix_room_id: &'a RoomId,
    mention_count: i64,
    muted: bool,
    read_event_id: Option<&'a EventId>,
    #[serde(rename = "room_type")]
    kind: RoomType,
    topic: Option<&'a str>,
    unread_count: i64,
}

/// The numbers of unread messages and mentions of a room.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unread<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// The number of messages after the last one that the user has read.
    pub unread_count: i64,
    /// The number of them that mention the user, among the last thousand of the room.
    pub mention_count: i64,
}

/// A room whose sounds a user has switched off or on.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoomMuted<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// Whether they are off.
    pub muted: bool,
}

/// A new role of a user.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoleChanged {
    /// The new role.
    pub role: Role,
}

/// The file of a message. `file_url` is its address on the homeserver, `media_path` the path at which this
/// service gives it to members.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct File<'a> {
    #[serde(rename = "file_url")]
    url: String,
    media_path: String,
    filename: &'a str,
    #[serde(rename = "file_size", skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mimetype: Option<&'a str>,
}

/// The ephemeral event `typing`: everybody who types in a room now. It has no place in the log.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename = "typing")]
pub struct Typing<'a> {
    /// The room.
    pub room_id: &'a RoomId,
    /// The users who type.
    pub users: &'a [Typist],
    /// The time after which a reader drops the list, in milliseconds.
    pub timeout_ms: u128,
}

/// A user who types, with the fields of a room member.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Typist {
    /// The Matrix account.
    pub matrix_user_id: MatrixUserId,
    /// The Hub user; `None` for an account that is of no user of this tenant.
    pub hub_user_id: Option<HubUserId>,
    /// The name that people see.
    pub display_name: String,
}

impl EventPayload<'_> {
    /// Returns the kind of the event.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Notification(_) => Kind::Notification,
            Self::NotificationSent(_) => Kind::NotificationSent,
            Self::Alarm(_) => Kind::Alarm,
            Self::InboxRead(_) => Kind::InboxRead,
            Self::NewMessage(_) => Kind::NewMessage,
            Self::MessageEdited(_) => Kind::MessageEdited,
            Self::MessageRedacted(_) => Kind::MessageRedacted,
            Self::Reaction(_) => Kind::Reaction,
            Self::RoomJoined(_) => Kind::RoomJoined,
            Self::RoomLeft(_) => Kind::RoomLeft,
            Self::Unread(_) => Kind::Unread,
            Self::RoomMuted(_) => Kind::RoomMuted,
            Self::AccessWithdrawn {} => Kind::AccessWithdrawn,
            Self::RoleChanged(_) => Kind::RoleChanged,
        }
    }

    /// Serialises the fields.
    pub fn serialise(&self) -> Result<Payload> {
        Payload::of(self)
    }
}

impl<'a> Notification<'a> {
    /// Returns the fields of a notification. `room` is `None` if it does not exist yet.
    pub fn of(draft: &'a Draft, room: Option<&'a RoomId>) -> Self {
        Self {
            source_app: &draft.source_app,
            event_type: &draft.event_type,
            title: draft.shown_title(),
            body: draft.shown_body(),
            priority: draft.priority,
            target_type: draft.target_type(),
            entity_type: draft.entity().map(|(entity_type, _)| entity_type),
            entity_id: draft.entity().map(|(_, entity_id)| entity_id),
            room_id: room,
            alarm_id: None,
        }
    }
}

impl<'a> From<&'a Message> for NewMessage<'a> {
    fn from(message: &'a Message) -> Self {
        Self {
            event_id: &message.event_id,
            room_id: &message.room_id,
            sender: &message.sender,
            sender_display_name: &message.sender_display_name,
            body: &message.body,
            msg_type: &message.msg_type,
            timestamp: message.timestamp,
            file: message.file.as_ref().map(File::from),
            text: Text {
                reply_to: message.reply_to.as_ref(),
                formatted_body: message.formatted_body.as_deref(),
                mentions: Mentions::from(&message.mentions),
            },
            txn_id: message.txn_id.as_deref(),
        }
    }
}

impl<'a> From<&'a message::Mentions<HubUserId>> for Mentions<'a> {
    fn from(mentions: &'a message::Mentions<HubUserId>) -> Self {
        Self { hub_user_ids: &mentions.users, room: mentions.room }
    }
}

impl<'a> From<&'a media::File> for File<'a> {
    fn from(file: &'a media::File) -> Self {
        Self {
            url: file.mxc.to_string(),
            media_path: file.mxc.path(),
            filename: &file.filename,
            size: file.file_size,
            mimetype: file.mimetype.as_deref(),
        }
    }
}

impl<'a> From<&'a room::Room> for Room<'a> {
    fn from(room: &'a room::Room) -> Self {
        Self {
            matrix_room_id: &room.matrix_room_id,
            display_name: &room.display_name,
            kind: room.room_type,
            topic: room.topic.as_deref(),
            entity_type: room.entity_type.as_deref(),
            entity_id: room.entity_id.as_ref(),
            unread_count: room.unread_count,
            last_message: room.last_message.as_deref(),
            last_message_ts: room.last_message_ts,
            encrypted: room.encrypted,
            mention_count: room.mention_count,
            muted: room.muted,
            read_event_id: room.read_event_id.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ephemeral::EphemeralEvent, event::Audience, id::TenantId, media::Mxc};

    const AT: Timestamp = Timestamp::constant(1_769_860_800, 0);

    fn message(file: Option<media::File>) -> Message {
        Message {
            event_id: EventId::new("$1"),
            room_id: RoomId::new("!1"),
            sender: MatrixUserId::new("@anna:hub.local"),
            sender_display_name: "Anna".to_owned(),
            body: "Guten Tag".to_owned(),
            msg_type: "m.text".to_owned(),
            timestamp: AT,
            file,
            notification: None,
            alarm: None,
            formatted_body: None,
            mentions: message::Mentions::default(),
            reply_to: None,
            txn_id: None,
            is_edited: false,
            reactions: Vec::new(),
        }
    }

    fn file() -> media::File {
        media::File {
            mxc: Mxc::new("hub.local", "abc").unwrap(),
            filename: "plan.pdf".to_owned(),
            file_size: Some(7),
            mimetype: None,
        }
    }

    #[track_caller]
    fn check(payload: &EventPayload<'_>, kind: Kind, json: &str) {
        assert_eq!(payload.kind(), kind);
        assert_eq!(payload.serialise().unwrap().as_str(), json);
    }

    #[test]
    fn a_notification_names_its_entity_only_if_it_has_one() {
        let general = Notification {
            source_app: "MES",
            event_type: "order",
            title: "Auftrag 7".to_owned(),
            body: None,
            priority: Priority::Normal,
            target_type: "general",
            entity_type: None,
            entity_id: None,
            room_id: None,
            alarm_id: None,
        };
        let json = r#"{"source_app":"MES","event_type":"order","title":"Auftrag 7","body":null,"priority":"normal","target_type":"general","room_id":null}"#;
        check(&EventPayload::Notification(general.clone()), Kind::Notification, json);
        let (id, room) = (EntityId::Number(7), RoomId::new("!1"));
        let entity = Notification {
            target_type: "entity_room",
            entity_type: Some("machine"),
            entity_id: Some(&id),
            room_id: Some(&room),
            ..general
        };
        let json = r#"{"source_app":"MES","event_type":"order","title":"Auftrag 7","body":null,"priority":"normal","target_type":"entity_room","entity_type":"machine","entity_id":7,"room_id":"!1"}"#;
        check(&EventPayload::Notification(entity), Kind::Notification, json);
    }

    #[test]
    fn a_sent_notification_names_its_message_and_a_read_one_is_named_by_its_id() {
        let (room_id, event_id) = (&RoomId::new("!1"), &EventId::new("$1"));
        let sent = EventPayload::NotificationSent(NotificationSent { room_id, event_id });
        check(&sent, Kind::NotificationSent, r#"{"room_id":"!1","event_id":"$1"}"#);
        let up_to = Some(NotificationId(7));
        check(&EventPayload::InboxRead(InboxRead { up_to, ids: &[] }), Kind::InboxRead, r#"{"up_to":7}"#);
        let ids = &[NotificationId(3), NotificationId(5)];
        check(&EventPayload::InboxRead(InboxRead { up_to: None, ids }), Kind::InboxRead, r#"{"ids":[3,5]}"#);
    }

    #[test]
    fn a_message_has_the_fields_of_its_file_beside_its_own() {
        let json = r#"{"event_id":"$1","room_id":"!1","sender":"@anna:hub.local","sender_display_name":"Anna","body":"Guten Tag","msg_type":"m.text","timestamp":"2026-01-31T12:00:00.000000Z","reply_to":null,"formatted_body":null,"mentions":{"hub_user_ids":[],"room":false}}"#;
        check(&EventPayload::NewMessage(NewMessage::from(&message(None))), Kind::NewMessage, json);
        let json = r#"{"event_id":"$1","room_id":"!1","sender":"@anna:hub.local","sender_display_name":"Anna","body":"Guten Tag","msg_type":"m.text","timestamp":"2026-01-31T12:00:00.000000Z","file_url":"mxc://hub.local/abc","media_path":"/api/v1/messages/media/hub.local/abc","filename":"plan.pdf","file_size":7,"reply_to":null,"formatted_body":null,"mentions":{"hub_user_ids":[],"room":false}}"#;
        check(&EventPayload::NewMessage(NewMessage::from(&message(Some(file())))), Kind::NewMessage, json);
        let full = Message {
            formatted_body: Some("<b>Guten Tag</b>".to_owned()),
            mentions: message::Mentions { users: vec![HubUserId::new("bert")], room: true },
            reply_to: Some(EventId::new("$0")),
            txn_id: Some("7".to_owned()),
            ..message(None)
        };
        let json = r#"{"event_id":"$1","room_id":"!1","sender":"@anna:hub.local","sender_display_name":"Anna","body":"Guten Tag","msg_type":"m.text","timestamp":"2026-01-31T12:00:00.000000Z","reply_to":"$0","formatted_body":"<b>Guten Tag</b>","mentions":{"hub_user_ids":["bert"],"room":true},"txn_id":"7"}"#;
        check(&EventPayload::NewMessage(NewMessage::from(&full)), Kind::NewMessage, json);
    }

    #[test]
    fn edits_redactions_and_reactions_name_what_they_are_about() {
        let (room_id, event_id, other) = (&RoomId::new("!1"), &EventId::new("$1"), EventId::new("$2"));
        let (sender, sender_display_name) = (&MatrixUserId::new("@anna:hub.local"), "Anna");
        let file = file();
        let edited = MessageEdited {
            room_id,
            event_id,
            edit_event_id: Some(&other),
            sender,
            sender_display_name,
            body: "b",
            msg_type: "m.text",
            timestamp: AT,
            file: Some(File::from(&file)),
            text: Text {
                reply_to: None,
                formatted_body: None,
                mentions: Mentions { hub_user_ids: &[], room: false },
            },
        };
        let json = r#"{"room_id":"!1","event_id":"$1","edit_event_id":"$2","sender":"@anna:hub.local","sender_display_name":"Anna","body":"b","msg_type":"m.text","timestamp":"2026-01-31T12:00:00.000000Z","file_url":"mxc://hub.local/abc","media_path":"/api/v1/messages/media/hub.local/abc","filename":"plan.pdf","file_size":7,"reply_to":null,"formatted_body":null,"mentions":{"hub_user_ids":[],"room":false}}"#;
        check(&EventPayload::MessageEdited(edited), Kind::MessageEdited, json);
        let redacted = MessageRedacted { event_id, room_id, sender, sender_display_name, timestamp: AT };
        let json = r#"{"event_id":"$1","room_id":"!1","sender":"@anna:hub.local","sender_display_name":"Anna","timestamp":"2026-01-31T12:00:00.000000Z"}"#;
        check(&EventPayload::MessageRedacted(redacted), Kind::MessageRedacted, json);
        let reaction = Reaction {
            event_id,
            key: "👍",
            reaction_event_id: &other,
            room_id,
            sender,
            sender_display_name,
            timestamp: AT,
        };
        let json = r#"{"event_id":"$1","key":"👍","reaction_event_id":"$2","room_id":"!1","sender":"@anna:hub.local","sender_display_name":"Anna","timestamp":"2026-01-31T12:00:00.000000Z"}"#;
        check(&EventPayload::Reaction(reaction), Kind::Reaction, json);
    }

    #[test]
    fn memberships_hold_the_room_as_its_member_sees_it() {
        let room_id = &RoomId::new("!1");
        let room = room::Room {
            matrix_room_id: room_id.clone(),
            display_name: "Presse 7".to_owned(),
            room_type: RoomType::Entity,
            topic: None,
            entity_type: Some("machine".to_owned()),
            entity_id: Some(EntityId::Number(7)),
            unread_count: 2,
            last_message: Some("läuft".to_owned()),
            last_message_ts: Some(AT),
            encrypted: false,
            mention_count: 1,
            muted: false,
            read_event_id: Some(EventId::new("$1")),
        };
        let joined = Membership { room_id, room: Some(Room::from(&room)) };
        let json = r#"{"room":{"display_name":"Presse 7","encrypted":false,"entity_id":7,"entity_type":"machine","last_message":"läuft","last_message_ts":"2026-01-31T12:00:00.000000Z","matrix_room_id":"!1","mention_count":1,"muted":false,"read_event_id":"$1","room_type":"entity","topic":null,"unread_count":2},"room_id":"!1"}"#;
        check(&EventPayload::RoomJoined(joined), Kind::RoomJoined, json);
        let left = RoomLeft { room_id, room: None, reason: None };
        check(&EventPayload::RoomLeft(left), Kind::RoomLeft, r#"{"room":null,"room_id":"!1"}"#);
        let closed = RoomLeft { room_id, room: None, reason: Some(LeaveReason::Closed) };
        let json = r#"{"room":null,"room_id":"!1","reason":"closed"}"#;
        check(&EventPayload::RoomLeft(closed), Kind::RoomLeft, json);
        let unread = Unread { room_id, unread_count: 3, mention_count: 1 };
        check(
            &EventPayload::Unread(unread),
            Kind::Unread,
            r#"{"room_id":"!1","unread_count":3,"mention_count":1}"#,
        );
        let muted = EventPayload::RoomMuted(RoomMuted { room_id, muted: true });
        check(&muted, Kind::RoomMuted, r#"{"room_id":"!1","muted":true}"#);
    }

    #[test]
    fn changes_of_a_user_are_objects_even_without_fields() {
        check(&EventPayload::AccessWithdrawn {}, Kind::AccessWithdrawn, "{}");
        let changed = EventPayload::RoleChanged(RoleChanged { role: Role::Viewer });
        check(&changed, Kind::RoleChanged, r#"{"role":"viewer"}"#);
    }

    #[test]
    fn a_typing_event_has_its_type_among_its_fields() {
        let (room, users) = (
            RoomId::new("!1"),
            [Typist {
                matrix_user_id: MatrixUserId::new("@anna:hub.local"),
                hub_user_id: None,
                display_name: "Anna".to_owned(),
            }],
        );
        let typing = Typing { room_id: &room, users: &users, timeout_ms: 60_000 };
        let audience = Audience::Room(TenantId(1), room.clone());
        let json = r#"{"type":"typing","room_id":"!1","users":[{"matrix_user_id":"@anna:hub.local","hub_user_id":null,"display_name":"Anna"}],"timeout_ms":60000}"#;
        let event = EphemeralEvent::new(audience, &typing).unwrap();
        assert_eq!(event.to_string(), format!("{json}\nt1:r:!1"));
    }
}
