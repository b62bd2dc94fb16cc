//! Acts of operators through this service.

use crate::domain::{
    alarm::{Action, Conflict, Expected, Input, InputSource, Operator},
    error::Error,
};

/// An act that an operator asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmAct {
    /// The kind.
    pub kind: ActKind,
    /// The alarm as the operator saw it.
    pub expected: Expected,
    /// The comment.
    pub comment: Option<String>,
}

/// The kind of an act of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActKind {
    /// Confirms that somebody takes care of it.
    Acknowledge,
    /// Withdraws the acknowledgement.
    Unacknowledge,
    /// Reports that the fault is over.
    Resolve,
    /// Adds a comment to the journal.
    Comment,
}

impl AlarmAct {
    /// Returns the input of an operator, without the time of its receipt.
    pub(crate) fn input(&self, operator: Operator, received_at: jiff::Timestamp) -> Input {
        Input {
            id: None,
            received_at,
            source: InputSource::Api(operator),
            action: self.kind.action(),
            occurred_at: None,
            expected: self.expected,
            comment: self.comment.clone(),
        }
    }
}

impl ActKind {
    fn action(self) -> Action {
        match self {
            Self::Acknowledge => Action::Acknowledge,
            Self::Unacknowledge => Action::Unacknowledge,
            Self::Resolve => Action::Resolve,
            Self::Comment => Action::Comment,
        }
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        let detail = match conflict {
            Conflict::EpisodeOver => {
                "the alarm has begun another episode since you read it: read it again, and act on the new one"
            }
            Conflict::StateChanged => "the alarm has changed since you read it: read it again",
            Conflict::NotAcknowledged => "the alarm is not acknowledged: there is nothing to withdraw",
        };
        Self::Conflict { code: conflict.code(), detail: detail.into(), retry_after: None }
    }
}
