//! The consequence of a failed attempt to send a message of a room queue.

use std::time::Duration;

use crate::domain::{
    error::{Error, Failure, System},
    notification::reason,
    room::is_account_taken,
};

/// The longest delay of a room queue after a failure.
pub(super) const BACKOFF_MAX: Duration = Duration::from_mins(5);

/// The consequence of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// The database failed, so nothing can be stored. The lease or the wait budget ends by itself.
    Unstored,
    /// The message is tried again later: after the delay that the homeserver demands, if it does.
    Postponed { reason: &'static str, delay: Option<Duration> },
    /// The message is rejected for good.
    Rejected { reason: &'static str },
}

impl Consequence {
    /// Returns the consequence of an error.
    pub(super) fn of(error: &Error) -> Self {
        let failure = error.failure();
        if failure.is_some() && !homeserver_failed(error) {
            return Self::Unstored;
        }
        // A recipient who has left the tenant (`Delivery::attempt`, `Accounts::ensure`) may return.
        let is_absent = matches!(error, Error::NotFound(_));
        let is_taken = is_account_taken(error);
        if !(is_absent || is_taken || error.is_transient()) {
            let is_encrypted = error.code() == reason::ROOM_ENCRYPTED;
            let reason = if is_encrypted { reason::ROOM_ENCRYPTED } else { reason::REFUSED_BY_HOMESERVER };
            return Self::Rejected { reason };
        }
        let reason = match failure {
            None if is_absent => reason::RECIPIENT_NOT_PROVISIONED,
            None if is_taken => reason::MATRIX_ACCOUNT_TAKEN,
            Some(Failure::Unreachable | Failure::TimedOut | Failure::Limited(_)) => {
                reason::HOMESERVER_UNAVAILABLE
            }
            None if matches!(error, Error::Internal { .. }) => reason::INTERNAL_ERROR,
            _ => reason::HOMESERVER_ERROR,
        };
        let delay = match failure {
            Some(Failure::Limited(delay)) => Some(delay.min(BACKOFF_MAX)),
            _ => None,
        };
        Self::Postponed { reason, delay }
    }
}

/// Returns whether the homeserver failed.
fn homeserver_failed(error: &Error) -> bool {
    matches!(error, Error::Fault(fault) if fault.system == System::Homeserver)
}
