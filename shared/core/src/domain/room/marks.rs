//! Marks of a room: what the homeserver told of it and cannot take back.

use crate::domain::{id::RoomId, user::Role};

/// Marks of a room. None is ever taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// Messages in it are encrypted (`m.room.encryption`): nothing is sent into it any more.
    pub is_encrypted: bool,
    /// Its history visibility was `joined` or `invited` at some time: the homeserver decides what a member may read.
    pub is_history_restricted: bool,
}

/// A room, to a member of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The role of the member now.
    pub role: Role,
    /// Its marks.
    pub marks: Marks,
    /// The room that it replaced directly.
    pub predecessor: Option<RoomId>,
}

impl Marks {
    /// Only the first.
    pub const ENCRYPTED: Self = Self { is_encrypted: true, is_history_restricted: false };
    /// Only the second.
    pub const HISTORY_RESTRICTED: Self = Self { is_encrypted: false, is_history_restricted: true };

    /// The marks of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            is_encrypted: self.is_encrypted || other.is_encrypted,
            is_history_restricted: self.is_history_restricted || other.is_history_restricted,
        }
    }
}
