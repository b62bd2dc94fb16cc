//! Rooms as people see them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    entity::EntityId,
    id::{HubUserId, MatrixUserId, RoomId},
    room::Marks,
    time::rfc3339_or_null,
};

/// What kind of room it is, to its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoomType {
    /// Everybody of the tenant is in it.
    General,
    /// Two users, or a user and the bot.
    Dm,
    /// The room of a machine, an order, …
    Entity,
    /// The room of a satellite.
    Service,
    /// A room that somebody made.
    Custom,
}

/// A room as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Room {
    /// Its id on the homeserver.
    pub matrix_room_id: RoomId,
    /// Its name; in a direct chat the partner's.
    pub display_name: String,
    /// What kind of room it is.
    pub room_type: RoomType,
    /// One line about it.
    pub topic: Option<String>,
    /// Such as `machine`; `None` if it is the room of no entity.
    pub entity_type: Option<String>,
    /// Which one.
    pub entity_id: Option<EntityId>,
    /// How many messages came in since they last read.
    pub unread_count: i64,
    /// A line that stands for the last message.
    pub last_message: Option<String>,
    /// When it came.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub last_message_ts: Option<Timestamp>,
    /// Whether messages in it are encrypted: they can be neither read nor sent here.
    pub encrypted: bool,
}

/// A room of the directory: everybody of the tenant may open it, and is a member then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its id on the homeserver.
    pub matrix_room_id: RoomId,
    /// Its name.
    pub display_name: String,
    /// `entity` or `service`.
    pub room_type: RoomType,
    /// One line about it.
    pub topic: Option<String>,
    /// Such as `machine`.
    pub entity_type: Option<String>,
    /// Which one.
    pub entity_id: Option<EntityId>,
    /// When the last message came.
    #[serde(serialize_with = "rfc3339_or_null")]
    pub last_message_ts: Option<Timestamp>,
    /// Whether whoever asks is a member already.
    pub joined: bool,
}

/// What to look for in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// Text that the name must contain, whatever its case; empty for all rooms.
    pub text: String,
    /// Only rooms of these entities.
    pub entity_type: Option<String>,
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Their account on the homeserver.
    pub matrix_user_id: MatrixUserId,
    /// `sub` of their token.
    pub hub_user_id: HubUserId,
    /// The name people see.
    pub display_name: String,
}

/// What a room begins with, beside its key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// Its name; `None` in a direct chat, where each sees the other's.
    pub name: Option<String>,
    /// One line about it.
    pub topic: Option<String>,
    /// Who made it.
    pub created_by: Option<HubUserId>,
    /// Who is in it from the first moment.
    pub members: Vec<HubUserId>,
    /// What the homeserver told of it.
    pub marks: Marks,
}

impl RoomType {
    /// The value in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Dm => "dm",
            Self::Entity => "entity",
            Self::Service => "service",
            Self::Custom => "custom",
        }
    }

    /// Reads it back.
    pub fn parse(stored: &str) -> Option<Self> {
        [Self::General, Self::Dm, Self::Entity, Self::Service, Self::Custom]
            .into_iter()
            .find(|kind| kind.as_str() == stored)
    }
}
