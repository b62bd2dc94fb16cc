//! The JSON of answers.

use jiff::Timestamp;
use messenger_core::{
    id::{EventId, HubUserId, MatrixUserId, RoomId},
    notification::EntityId,
    room::{self, RoomType},
    time::{Rfc3339, rfc3339_or_null},
};
use schemars::JsonSchema;
use serde::Serialize;

/// A list of rooms.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RoomsOf{T}")]
pub(crate) struct Rooms<T> {
    rooms: Vec<T>,
}

/// A room as one of its members sees it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Room {
    matrix_room_id: RoomId,
    display_name: String,
    #[serde(rename = "room_type")]
    kind: RoomType,
    topic: Option<String>,
    entity_type: Option<String>,
    entity_id: Option<EntityId>,
    unread_count: i64,
    last_message: Option<String>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schemars(with = "Option<Rfc3339>")]
    last_message_ts: Option<Timestamp>,
    encrypted: bool,
    /// The number of unread messages that mention the caller, among the last thousand of the room.
    mention_count: i64,
    muted: bool,
    /// The last message that the caller has read.
    read_event_id: Option<EventId>,
}

/// A room of the directory.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DirectoryRoom")]
pub(crate) struct Listed {
    matrix_room_id: RoomId,
    display_name: String,
    room_type: RoomType,
    topic: Option<String>,
    entity_type: Option<String>,
    entity_id: Option<EntityId>,
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schemars(with = "Option<Rfc3339>")]
    last_message_ts: Option<Timestamp>,
    joined: bool,
}

/// A member of a room.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Member {
    matrix_user_id: MatrixUserId,
    hub_user_id: HubUserId,
    display_name: String,
}

impl<T> Rooms<T> {
    pub(crate) fn new<D: Into<T>>(rooms: Vec<D>) -> Self {
        Self { rooms: rooms.into_iter().map(D::into).collect() }
    }
}

impl From<room::Room> for Room {
    fn from(room: room::Room) -> Self {
        Self {
            matrix_room_id: room.matrix_room_id,
            display_name: room.display_name,
            kind: room.room_type,
            topic: room.topic,
            entity_type: room.entity_type,
            entity_id: room.entity_id,
            unread_count: room.unread_count,
            last_message: room.last_message,
            last_message_ts: room.last_message_ts,
            encrypted: room.encrypted,
            mention_count: room.mention_count,
            muted: room.muted,
            read_event_id: room.read_event_id,
        }
    }
}

impl From<room::Listed> for Listed {
    fn from(room: room::Listed) -> Self {
        Self {
            matrix_room_id: room.matrix_room_id,
            display_name: room.display_name,
            room_type: room.room_type,
            topic: room.topic,
            entity_type: room.entity_type,
            entity_id: room.entity_id,
            last_message_ts: room.last_message_ts,
            joined: room.joined,
        }
    }
}

impl From<room::Member> for Member {
    fn from(member: room::Member) -> Self {
        Self {
            matrix_user_id: member.matrix_user_id,
            hub_user_id: member.hub_user_id,
            display_name: member.display_name,
        }
    }
}
