//! Cursors of readers of the event log, and the pages of a poll.

use crate::domain::{
    event::{Event, Kind},
    id::Position,
};

/// The range of positions in the event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The last position that was dropped. Readers before it have a gap.
    pub trimmed: Position,
    /// The last position that was assigned.
    pub head: Position,
}

/// The reason for a gap: events that a reader has missed and does not get any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The cursor is no position of this log.
    Unknown,
    /// Events after the cursor were dropped from the log.
    Expired,
    /// More than [`replay_max`](crate::MessengerSettings::replay_max) events of the reader follow the cursor.
    TooFarBehind,
}

impl Gap {
    /// Returns the gap of a reader with this cursor, whose audiences have `count` events after it. `limit` is
    /// the largest number of events that a reader gets at once. Returns `None` if there is no gap.
    ///
    /// Events that the reader does not receive, as those from before a join, do not count.
    pub(crate) fn of(cursor: Position, span: Span, count: usize, limit: usize) -> Option<Self> {
        if cursor > span.head {
            Some(Self::Unknown)
        } else if cursor < span.trimmed {
            Some(Self::Expired)
        } else {
            (count > limit).then_some(Self::TooFarBehind)
        }
    }

    /// Returns the value of `reason` for clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_position",
            Self::Expired => "expired",
            Self::TooFarBehind => "too_far_behind",
        }
    }
}

/// Parses a cursor of a client, such as the `Last-Event-ID` header. Returns `None` if it is no position.
pub(crate) fn parse_cursor(cursor: &str) -> Option<Position> {
    cursor.trim().parse().ok().filter(|position| *position >= 0).map(Position)
}

/// The position at which a poll continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// A cursor that the client keeps, as an earlier poll returned it.
    Cursor(String),
    /// The name of a reader of this user, whose cursor the server keeps. Its first poll starts at the end of
    /// the log.
    Reader(String),
}

/// One page of the log.
#[derive(Debug, Clone)]
pub struct PollPage {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// The reason for a gap before these events; `None` if there is no gap.
    pub gap: Option<Gap>,
    /// The cursor for the next page.
    pub cursor: Position,
}

impl PollPage {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.gap.is_none()
    }

    /// Cuts the page after the event by which its user left the tenant. That may have happened after the user
    /// was looked up. The next poll is refused, unless the user has returned.
    pub(crate) fn up_to_withdrawal(mut self) -> Self {
        if let Some(at) = self.events.iter().position(|event| event.kind == Kind::AccessWithdrawn) {
            self.events.truncate(at + 1);
            self.cursor = self.events[at].position;
        }
        self
    }

    /// Returns the page as the bare JSON array that clients get.
    pub fn json(&self) -> String {
        let reset = self.gap.map(|gap| format!("{{\"type\":\"reset\",\"reason\":\"{}\"}}", gap.as_str()));
        let elements: Vec<_> = reset.into_iter().chain(self.events.iter().map(Event::json)).collect();
        format!("[{}]", elements.join(","))
    }
}
