//! Rooms as users see them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    entity::EntityId,
    id::{EventId, HubUserId, MatrixUserId, RoomId},
    room::Marks,
};

/// The kind of a room, as its members see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoomType {
    /// The general room, of which all users of the tenant are members.
    General,
    /// A direct chat of two users, or of a user and the bot.
    Dm,
    /// The room of a machine, an order, …
    Entity,
    /// The room of a satellite.
    Service,
    /// A room that a user created.
    Custom,
}

/// A room as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its id on the homeserver.
    pub matrix_room_id: RoomId,
    /// Its name; in a direct chat, the name of the partner.
    pub display_name: String,
    /// Its kind.
    pub room_type: RoomType,
    /// Its topic.
    pub topic: Option<String>,
    /// The type of its entity, such as `machine`; `None` if it is the room of no entity.
    pub entity_type: Option<String>,
    /// The id of its entity.
    pub entity_id: Option<EntityId>,
    /// The number of messages that the member has not read.
    pub unread_count: i64,
    /// A line that represents the last message.
    pub last_message: Option<String>,
    /// The time of the last message.
    pub last_message_ts: Option<Timestamp>,
    /// Whether messages in it are encrypted. This service can neither read nor send them.
    pub encrypted: bool,
    /// The number of unread messages that mention the member, among the last thousand of the room.
    pub mention_count: i64,
    /// Whether the member has switched off the sounds of the room.
    pub muted: bool,
    /// The last message that the member has read; `None` if there is none, or if it is not known.
    pub read_event_id: Option<EventId>,
}

/// An entry of the room directory. Each user of the tenant may open the room, and thereby becomes a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id on the homeserver.
    pub matrix_room_id: RoomId,
    /// Its name.
    pub display_name: String,
    /// Its kind: `entity` or `service`.
    pub room_type: RoomType,
    /// Its topic.
    pub topic: Option<String>,
    /// The type of its entity, such as `machine`; `None` if it is the room of no entity.
    pub entity_type: Option<String>,
    /// The id of its entity.
    pub entity_id: Option<EntityId>,
    /// The time of the last message.
    pub last_message_ts: Option<Timestamp>,
    /// Whether the caller is a member.
    pub joined: bool,
}

/// A search in the room directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// A text that the name must contain, in any case; empty for all rooms.
    pub text: String,
    /// The entity type of the wanted rooms; `None` for all rooms.
    pub entity_type: Option<String>,
    /// The largest number of results.
    pub limit: i64,
    /// The number of results to skip.
    pub offset: i64,
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The Matrix id of the member.
    pub matrix_user_id: MatrixUserId,
    /// The user id in the Hub (`sub` of the token).
    pub hub_user_id: HubUserId,
    /// The display name.
    pub display_name: String,
}

/// The initial properties of a room, beside its key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Its name; `None` in a direct chat, where each user sees the name of the other.
    pub name: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// The user who created it; `None` if no user of this service did.
    pub created_by: Option<HubUserId>,
    /// Its first members.
    pub members: Vec<HubUserId>,
    /// Its marks.
    pub marks: Marks,
}

impl RoomType {
    /// Returns the value in responses and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Dm => "dm",
            Self::Entity => "entity",
            Self::Service => "service",
            Self::Custom => "custom",
        }
    }

    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(stored: &str) -> Option<Self> {
        [Self::General, Self::Dm, Self::Entity, Self::Service, Self::Custom]
            .into_iter()
            .find(|kind| kind.as_str() == stored)
    }
}
