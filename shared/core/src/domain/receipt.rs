//! Read receipts (Matrix specification, "Receipts").

use crate::domain::id::{EventId, MatrixUserId, RoomId};

/// A read receipt: a user has read a room up to an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The room.
    pub room: RoomId,
    /// The user.
    pub user: MatrixUserId,
    /// The last event that the user has read.
    pub event: EventId,
}
