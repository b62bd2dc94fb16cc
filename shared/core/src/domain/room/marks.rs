//! Marks of a room: facts from the homeserver that are never reverted.

use crate::domain::{id::RoomId, user::Role};

/// The marks of a room. A mark is never removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// Messages in it are encrypted (`m.room.encryption`). This service sends no more messages into it.
    pub is_encrypted: bool,
    /// Its history visibility is or was `joined` or `invited`. The homeserver decides which messages a member
    /// may read.
    pub is_history_restricted: bool,
}

/// The access of a member to a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The current role of the member.
    pub role: Role,
    /// The marks of the room.
    pub marks: Marks,
    /// The room that this one replaced directly; `None` if it replaced none.
    pub predecessor: Option<RoomId>,
}

impl Marks {
    /// The mark of an encrypted room.
    pub const ENCRYPTED: Self = Self { is_encrypted: true, is_history_restricted: false };
    /// The mark of a room with restricted history.
    pub const HISTORY_RESTRICTED: Self = Self { is_encrypted: false, is_history_restricted: true };

    /// Returns the union of both marks.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            is_encrypted: self.is_encrypted || other.is_encrypted,
            is_history_restricted: self.is_history_restricted || other.is_history_restricted,
        }
    }
}
