//! The result of a step: a changed alarm, and all that follows from the change.

use jiff::Timestamp;

use crate::domain::{
    alarm::{ActionKind, Alarm, Deadline, Episode, InputSource, State},
    event::Audience,
    id::{AlarmInputId, NotificationId},
};

/// The change of an alarm by its waiting inputs and passed deadlines. It is stored as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The revision that the alarm must still have when the change is stored.
    pub expected_revision: i64,
    /// The alarm after the change.
    pub alarm: Alarm,
    /// Earlier episodes that changed in this step, before a newer one began.
    pub earlier_episodes: Vec<Episode>,
    /// The greatest effect on the root message.
    pub kind: ChangeKind,
    /// The outcome of each input, in their order.
    pub outcomes: Vec<Outcome>,
    /// The entries of the journal: one for each input and for each passed deadline.
    pub journal: Vec<JournalEntry>,
    /// The ring that begins; `None` if there is no reason for one, or if the reason is already over.
    pub ring: Option<Ring>,
    /// The live events to append, in this order.
    pub events: Vec<LiveEvent>,
    /// The time at which the alarm has to be stepped again without an input; `None` for never.
    pub next_at: Option<Timestamp>,
}

/// The effect of a change on the root message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// None.
    #[default]
    None,
    /// Counter, text or a comment: edits are collected.
    Detail,
    /// Episode, state or priority: the root message is sent or edited at once.
    State,
}

/// The outcome of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It changed the alarm.
    Applied {
        /// A part of the input that was left out.
        warning: Option<Warning>,
    },
    /// The alarm is already as requested.
    Unchanged,
    /// It does not apply.
    Ignored(IgnoredReason),
    /// It contradicts the state (409).
    Refused(Conflict),
}

/// A part of an applied input that was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// The trigger has another target than its episode: it counts, and its text and target are left out.
    OtherTarget,
}

/// The reason for which an input does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredReason {
    /// The alarm is normal.
    NoOpenAlarm,
    /// A newer occurrence was reported before.
    StaleInput,
    /// The update has another target than the episode.
    OtherTarget,
}

/// The reason for which an input is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The input is for an earlier episode.
    EpisodeOver,
    /// The state is newer than the one that the sender saw.
    StateChanged,
    /// There is no acknowledgement to withdraw.
    NotAcknowledged,
}

/// An entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// The time: that of the input or of the deadline.
    pub at: Timestamp,
    /// The number of the episode afterwards; 0 before the first trigger.
    pub episode: i64,
    /// The state afterwards.
    pub state: State,
    /// The cause.
    pub cause: JournalCause,
}

/// The cause of an entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalCause {
    /// An input, whether or not it was applied.
    Input {
        /// Its id; `None` for an act that was stored only with its change.
        id: Option<AlarmInputId>,
        /// The sender.
        source: InputSource,
        /// The requested change.
        action: ActionKind,
        /// The comment of the operator.
        comment: Option<String>,
        /// The outcome.
        outcome: Outcome,
    },
    /// A deadline that passed.
    Deadline(Deadline),
}

/// A call for attention. It is always a new message, because an edit makes no phone ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// The number of the episode.
    pub episode: i64,
    /// The reason.
    pub reason: RingReason,
}

/// The reason for a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingReason {
    /// The episode began. The root message is this ring: it has no message of its own.
    Triggered,
    /// The fault came again.
    Reopened,
    /// The priority rose.
    PriorityRaised,
}

/// A live event to append, with the audience of its episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveEvent {
    /// `notification`: an episode began or was re-opened.
    Notification {
        /// The number of the episode.
        episode: i64,
        /// The readers.
        audience: Audience,
        /// The notification of the trigger.
        notification: NotificationId,
    },
    /// `alarm`: the episode has changed.
    Alarm {
        /// The number of the episode.
        episode: i64,
        /// The readers.
        audience: Audience,
    },
}

impl Outcome {
    /// Returns the stored form: the kind, and the warning, reason or conflict.
    pub fn stored(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Applied { warning } => ("applied", warning.map(Warning::as_str)),
            Self::Unchanged => ("unchanged", None),
            Self::Ignored(reason) => ("ignored", Some(reason.as_str())),
            Self::Refused(conflict) => ("refused", Some(conflict.code())),
        }
    }

    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(kind: &str, detail: Option<&str>) -> Option<Self> {
        match (kind, detail) {
            ("applied", None) => Some(Self::Applied { warning: None }),
            ("applied", Some(detail)) if detail == Warning::OtherTarget.as_str() => {
                Some(Self::Applied { warning: Some(Warning::OtherTarget) })
            }
            ("unchanged", None) => Some(Self::Unchanged),
            ("ignored", Some(detail)) => {
                IgnoredReason::ALL.into_iter().find(|reason| reason.as_str() == detail).map(Self::Ignored)
            }
            ("refused", Some(detail)) => {
                Conflict::ALL.into_iter().find(|conflict| conflict.code() == detail).map(Self::Refused)
            }
            _ => None,
        }
    }
}

impl Warning {
    /// Returns the stored form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherTarget => "other_target",
        }
    }
}

impl RingReason {
    /// Returns the value in live events and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Reopened => "reopened",
            Self::PriorityRaised => "priority_raised",
        }
    }

    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(stored: &str) -> Option<Self> {
        [Self::Triggered, Self::Reopened, Self::PriorityRaised]
            .into_iter()
            .find(|reason| reason.as_str() == stored)
    }
}

impl IgnoredReason {
    /// All reasons.
    const ALL: [Self; 3] = [Self::NoOpenAlarm, Self::StaleInput, Self::OtherTarget];

    /// Returns the value of `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoOpenAlarm => "no_open_alarm",
            Self::StaleInput => "stale_input",
            Self::OtherTarget => "other_target",
        }
    }
}

impl Conflict {
    /// All conflicts.
    const ALL: [Self; 3] = [Self::EpisodeOver, Self::StateChanged, Self::NotAcknowledged];

    /// Returns the code of the problem.
    pub fn code(self) -> &'static str {
        match self {
            Self::EpisodeOver => "episode_over",
            Self::StateChanged => "state_changed",
            Self::NotAcknowledged => "not_acknowledged",
        }
    }
}
