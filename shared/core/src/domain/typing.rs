//! Typing notifications (Matrix specification, "Typing Notifications").
//!
//! Each one is the whole list of those who type in the room now, so only the last one counts. The homeserver ends the
//! typing of a client that does not renew it, and pushes that; should it die before, readers drop the list after
//! [`TYPING_FADES`].

use std::time::Duration;

use crate::domain::id::{MatrixUserId, RoomId};

/// After so much silence about a room nobody types in it any more, for a reader. Homeservers do not repeat a list that
/// stays the same, so this is longer than one renewal.
pub const TYPING_FADES: Duration = Duration::from_mins(1);

/// Who types in a room now, according to the homeserver (Matrix specification, "Typing Notifications").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub room: RoomId,
    /// Everybody who does; empty: nobody any more.
    pub users: Vec<MatrixUserId>,
}
