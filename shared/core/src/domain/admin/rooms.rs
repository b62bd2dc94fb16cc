//! Rooms as the administrators of their tenant see them.

use std::fmt;

use jiff::Timestamp;

use crate::domain::{
    entity::EntityId,
    id::{HubUserId, RoomId},
    room::{RoomKey, RoomType},
};

/// A room of a tenant. It has no text of any message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantRoom {
    /// Its id on the homeserver.
    pub matrix_room_id: RoomId,
    /// Its name; in a direct chat, the names of both users.
    pub display_name: String,
    /// Its kind.
    pub room_type: RoomType,
    /// Its topic.
    pub topic: Option<String>,
    /// The type of its entity, such as `machine`; `None` if it is the room of no entity.
    pub entity_type: Option<String>,
    /// The id of its entity.
    pub entity_id: Option<EntityId>,
    /// The number of its members.
    pub member_count: i64,
    /// The number of messages that are not redacted.
    pub message_count: i64,
    /// The time of the last message.
    pub last_message_ts: Option<Timestamp>,
    /// Whether messages in it are encrypted.
    pub encrypted: bool,
    /// The time at which it was registered here.
    pub created_at: Timestamp,
}

/// A query for rooms of a tenant, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoomQuery {
    /// A text that the name or the id of the entity must contain, in any case, or the id of a room; empty for
    /// all rooms.
    pub text: String,
    /// The kind of the wanted rooms; `None` for all.
    pub room_type: Option<RoomType>,
    /// The room before the wanted ones; `None` for the newest.
    pub after: Option<RoomCursor>,
    /// The largest number of results.
    pub limit: i64,
}

/// The place of a room in the list of a tenant's rooms. It stays valid when rooms are created or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCursor {
    /// The time at which the room was registered.
    pub created_at: Timestamp,
    /// Its id.
    pub room: RoomId,
}

/// A member of a room, as the administrators see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomMembership {
    /// The user id in the Hub.
    pub hub_user_id: HubUserId,
    /// The display name.
    pub display_name: String,
    /// The localpart of the member's Matrix account.
    pub localpart: String,
    /// The time at which the membership began.
    pub joined_at: Timestamp,
    /// The number of messages that the member has not read.
    pub unread_count: i64,
}

/// The outcome of closing a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closure {
    /// The room is closed by this act.
    Closed,
    /// The room was closed before; nothing has changed.
    AlreadyClosed,
    /// The room is the general room, which is not closed.
    General,
    /// The room was replaced by this one before; nothing has changed.
    Replaced(RoomId),
}

/// A closed room that the homeserver still has to close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRoom {
    /// The room.
    pub room: RoomId,
    /// The key that it had; `None` if it cannot be read.
    pub key: Option<RoomKey>,
    /// Whether its alias is free already.
    pub is_alias_freed: bool,
}

/// The form `<microseconds>.<hexadecimal digits of the room id>`.
impl fmt::Display for RoomCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.created_at.as_microsecond())?;
        self.room.as_str().bytes().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl RoomCursor {
    /// Parses the text of a cursor; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (created_at, room) = text.split_once('.')?;
        let created_at = Timestamp::from_microsecond(created_at.parse().ok()?).ok()?;
        let digits = room.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> =
            digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
        let room = RoomId::parse(String::from_utf8(bytes?).ok()?)?;
        Some(Self { created_at, room })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let created_at = Timestamp::from_microsecond(1_767_225_600_000_001).expect("a time");
        let cursor = RoomCursor { created_at, room: RoomId::new("!größe:hub.local") };
        assert_eq!(RoomCursor::parse(&cursor.to_string()), Some(cursor));
        for text in ["", ".", "1", "x.21", "1.2g", "99999999999999999999.21", "1.ff"] {
            assert_eq!(RoomCursor::parse(text), None, "{text}");
        }
    }
}
