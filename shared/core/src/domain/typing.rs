//! Typing notifications (Matrix specification, "Typing Notifications").
//!
//! Each one is the complete list of the users who are typing in the room, so only the last one counts. The
//! homeserver removes a user whose client does not renew it, and pushes the new list. If no list arrives,
//! readers drop the last one after [`TYPING_FADES`].

use std::time::Duration;

use crate::domain::id::{MatrixUserId, RoomId};

/// The time after which a reader drops the last list of a room. Homeservers do not repeat an unchanged list,
/// so this is longer than one renewal.
pub const TYPING_FADES: Duration = Duration::from_mins(1);

/// The users who are typing in a room, according to the homeserver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// The room.
    pub room: RoomId,
    /// All users who are typing; empty if nobody is.
    pub users: Vec<MatrixUserId>,
}
