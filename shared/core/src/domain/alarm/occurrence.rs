//! The order of the occurrences that satellites report.

use jiff::Timestamp;

use crate::domain::alarm::{ActionKind, Input};

/// The newest occurrence that a satellite has reported with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrence {
    /// The time, by the clock of the satellite.
    pub at: Timestamp,
    /// The reported action.
    pub action: ActionKind,
}

/// The place of an input in the order of occurrences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It is newer, or has no place. The occurrence is remembered if it has one.
    Newer(Option<Occurrence>),
    /// The same occurrence was reported before.
    Same,
    /// A newer occurrence was reported before.
    Older,
}

impl Order {
    /// Compares an input with the newest occurrence.
    pub(super) fn of(input: &Input, newest: Option<Occurrence>) -> Self {
        let Some(at) = input.believed_time() else { return Self::Newer(None) };
        let occurrence = Occurrence { at, action: input.action.kind() };
        match newest {
            Some(newest) if newest == occurrence => Self::Same,
            Some(newest) if at < newest.at => Self::Older,
            _ => Self::Newer(Some(occurrence)),
        }
    }
}
