//! The port of rooms on the homeserver: creation, state and upgrades (Matrix Client-Server API, "Rooms").

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    error::Result,
    id::{MatrixUserId, RoomId},
    room::{Marks, NewRoom, Permissions},
};

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

/// The creation and the state of rooms on the homeserver, as the bot.
#[async_trait]
pub trait RoomAdministration: Send + Sync {
    /// Creates a room. Returns the existing room if an earlier attempt created it under the same alias.
    async fn create_room(&self, room: &NewRoom) -> Result<RoomId>;

    /// Discards a room whose creation could not be completed: releases its alias, and makes the bot leave. A
    /// room with messages is kept unchanged. Repeating it is no error.
    async fn discard(&self, room: &RoomId, alias: &str) -> Result<()>;

    /// Deletes an alias if it names this room. Repeating it is no error.
    async fn release_alias(&self, room: &RoomId, alias: &str) -> Result<()>;

    /// Removes all other members and the invited users from a room, then makes the bot leave. Members whom the
    /// bot has no power to remove stay. Repeating it is no error, nor is a room without the bot.
    async fn empty(&self, room: &RoomId) -> Result<()>;

    /// Returns the current permissions of a user in a room.
    async fn permissions(&self, room: &RoomId, user: &MatrixUserId) -> Result<Permissions>;

    /// Returns the state of a room as `member` sees it. The bot need not be in the room.
    async fn summary(&self, room: &RoomId, member: &MatrixUserId) -> Result<RoomSummary>;

    /// Returns the room that replaced this one (`m.room.tombstone`). Returns `None` if it was not replaced,
    /// or if the bot may not read the room.
    async fn successor(&self, room: &RoomId) -> Result<Option<RoomId>>;
}
