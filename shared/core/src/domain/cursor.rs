//! Cursors of readers of the event log, and the pages of a poll.

use crate::domain::{
    event::{Event, Kind},
    id::Position,
};

/// Why a reader has a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The cursor is no position of this log.
    Unknown,
    /// What comes after the cursor has been dropped.
    Expired,
    /// More than [`replay_max`](crate::Settings::replay_max) events.
    TooFarBehind,
}

impl Gap {
    /// The value of `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_position",
            Self::Expired => "expired",
            Self::TooFarBehind => "too_far_behind",
        }
    }
}

/// Where a reader wants to go on: the text of `Last-Event-ID`, which is the client's word.
pub(crate) fn parse_cursor(cursor: &str) -> Option<Position> {
    cursor.trim().parse().ok().filter(|position| *position >= 0).map(Position)
}

/// Where a poll goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// The client keeps the cursor, and sends it as it got it.
    Cursor(String),
    /// The server keeps it, for this reader of this user. The first poll starts now.
    Reader(String),
}

/// One page of the log.
#[derive(Debug, Clone)]
pub struct PollPage {
    /// The events, oldest first.
    pub events: Vec<Event>,
    /// Set if events before these were missed.
    pub gap: Option<Gap>,
    /// Where the next page begins.
    pub cursor: Position,
}

impl PollPage {
    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.gap.is_none()
    }

    /// The page ends where its user left the tenant, which may have happened after the user was looked up. The next one
    /// is refused, unless the user has come back.
    pub(crate) fn up_to_withdrawal(mut self) -> Self {
        if let Some(at) = self.events.iter().position(|event| event.kind == Kind::AccessWithdrawn) {
            self.events.truncate(at + 1);
            self.cursor = self.events[at].position;
        }
        self
    }

    /// The bare JSON array that clients get.
    pub fn json(&self) -> String {
        let reset = self.gap.map(|gap| format!("{{\"type\":\"reset\",\"reason\":\"{}\"}}", gap.as_str()));
        let elements: Vec<_> = reset.into_iter().chain(self.events.iter().map(Event::json)).collect();
        format!("[{}]", elements.join(","))
    }
}
