//! The deadlines of an episode.

use jiff::{SignedDuration, Timestamp};

use crate::domain::alarm::{ClearedBy, Episode, State};

/// The time after which an active alarm is stale. It is also the time after the end of a fault after which an
/// unacknowledged alarm is closed.
const UNATTENDED: SignedDuration = SignedDuration::from_hours(24);

/// A deadline that changes an alarm when it passes. Of several at the same time, the first one here passes
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    /// No trigger came in time: the fault counts as over.
    ResolveTimeout,
    /// The acknowledgement expires.
    AckExpired,
    /// The alarm has been active for a day.
    Stale,
    /// Nobody has acknowledged the alarm for a day after its fault was over.
    ClosedUnseen,
}

impl Deadline {
    /// All deadlines.
    const ALL: [Self; 4] = [Self::ResolveTimeout, Self::AckExpired, Self::Stale, Self::ClosedUnseen];

    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deadline| deadline.as_str() == stored)
    }

    /// Returns the value in responses and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ResolveTimeout => "resolve_timeout",
            Self::AckExpired => "ack_expired",
            Self::Stale => "stale",
            Self::ClosedUnseen => "closed_unseen",
        }
    }

    /// Returns the first deadline of an episode; `None` if it has none.
    pub(super) fn first(episode: &Episode) -> Option<(Timestamp, Self)> {
        let resolve = episode.resolve_at.map(|at| (at, Self::ResolveTimeout));
        let expiry = episode.acknowledgement.as_ref().and_then(|acknowledgement| acknowledgement.expires_at);
        let expiry = expiry.filter(|_| episode.state.is_active()).map(|at| (at, Self::AckExpired));
        let unattended = match (episode.state, &episode.clearing) {
            (State::ActiveUnack | State::ActiveAck, _) if !episode.is_stale => {
                Some((episode.active_since + UNATTENDED, Self::Stale))
            }
            (State::RtnUnack, Some(clearing)) => Some((clearing.at + UNATTENDED, Self::ClosedUnseen)),
            _ => None,
        };
        [resolve, expiry, unattended].into_iter().flatten().min()
    }

    /// Applies the deadline to its episode. Afterwards it is not its deadline any more.
    pub(super) fn pass(self, episode: &mut Episode, at: Timestamp) {
        match self {
            Self::ResolveTimeout => episode.clear(ClearedBy::Timeout, at),
            Self::AckExpired => episode.withdraw_acknowledgement(),
            Self::Stale => episode.is_stale = true,
            Self::ClosedUnseen => {
                episode.is_closed_unseen = true;
                episode.end(at);
            }
        }
    }
}
