//! The error of an act in a room that an administrator closes at the same time.

use std::time::Duration;

use crate::domain::error::Error;

/// The code of [`room_closed`].
pub(crate) const CLOSED: &str = "room_closed";

/// Returns the error for an act in a room that was closed meanwhile. Its key gets another room.
pub fn room_closed() -> Error {
    Error::Conflict {
        code: CLOSED,
        detail: "an administrator has closed this room a moment ago: try again".into(),
        retry_after: Some(Duration::from_secs(1)),
    }
}
