//! The inputs of an alarm: calls of satellites and acts of operators.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    id::{AlarmInputId, EventId, HubUserId, NotificationId},
    notification::Draft,
};

/// The time by which the clock of a satellite may be fast. A later `occurred_at` orders nothing: otherwise
/// one wrong clock would make all later inputs stale.
pub const SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// An input of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its id, which is also its order; `None` for an act that is stored only with its change.
    pub id: Option<AlarmInputId>,
    /// The time at which it was stored, by the clock of the database. All deadlines count from it.
    pub received_at: Timestamp,
    /// The sender.
    pub source: InputSource,
    /// The requested change.
    pub action: Action,
    /// The time of the event at the satellite; `None` if the satellite names none, and for operators.
    ///
    /// It orders the inputs of an alarm. No deadline uses it.
    pub occurred_at: Option<Timestamp>,
    /// The alarm as its sender saw it.
    pub expected: Expected,
    /// The comment of an operator.
    pub comment: Option<String>,
}

/// The part of a notification by which it is an input of an alarm.
///
/// The key of the alarm is that of the notification's tenant and application. The input is stored together
/// with the notification, and its source is the notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlarmInput {
    /// The name of the fault; `None` for an alarm of this notification only ([`own_dedup_key`]).
    pub dedup_key: Option<String>,
    /// The requested change.
    pub action: Action,
    /// The time of the event at the satellite; `None` if the satellite names none.
    pub occurred_at: Option<Timestamp>,
}

/// The sender of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// A satellite, by a notification.
    Satellite(NotificationId),
    /// An operator, through this service.
    Api(Operator),
    /// An operator, with another Matrix client.
    Matrix {
        /// The sender of the event.
        operator: Operator,
        /// The reaction or reply. If the operator redacts a reaction, the redacted reaction.
        event: EventId,
    },
}

/// A user who acts on an alarm (ISA-18.2, "operator").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The user.
    pub id: HubUserId,
    /// The display name at the time of the act.
    pub display_name: String,
}

/// The requested change of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Reports that the fault is present.
    Trigger(Trigger),
    /// Replaces the text.
    Update(Draft),
    /// Confirms that somebody takes care of it.
    Acknowledge,
    /// Withdraws the acknowledgement.
    Unacknowledge,
    /// Reports that the fault is over. That of an operator is also an acknowledgement.
    Resolve,
    /// Withdraws the alarm.
    Cancel,
    /// Adds a comment to the journal.
    Comment,
}

/// A report that the fault is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The content, target and priority.
    pub draft: Draft,
    /// The rule for acknowledgements. That of the first trigger applies to the whole episode.
    pub ack: AckRule,
    /// The time without a further trigger after which the fault counts as over; `None` for never.
    pub resolve_after: Option<Duration>,
}

/// The rule for acknowledgements of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckRule {
    /// Whether an operator has to acknowledge the alarm.
    pub is_required: bool,
    /// The time after which an acknowledgement expires; `None` for never.
    pub expires_after: Option<Duration>,
}

/// The alarm as the sender of an input saw it. An input for another episode or an older state is refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// The number of the episode; `None` for any.
    pub episode: Option<i64>,
    /// The revision; `None` for any.
    pub revision: Option<i64>,
}

/// The kind of an [`Action`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is the action of its name")]
pub enum ActionKind {
    Trigger,
    Update,
    Acknowledge,
    Unacknowledge,
    Resolve,
    Cancel,
    Comment,
}

/// Returns the dedup key of the alarm of one notification that names no fault.
pub fn own_dedup_key(notification: NotificationId) -> String {
    format!("n:{notification}")
}

impl NewAlarmInput {
    /// Returns the dedup key of its alarm.
    pub fn key_of(&self, notification: NotificationId) -> String {
        self.dedup_key.clone().unwrap_or_else(|| own_dedup_key(notification))
    }
}

impl Input {
    /// Returns the time that readers see: that of the satellite if its clock can be right.
    pub(super) fn shown_at(&self) -> Timestamp {
        self.believed_time().unwrap_or(self.received_at)
    }

    /// Returns the time of the event at the satellite; `None` without one, and if the clock of the satellite is
    /// fast.
    pub(super) fn believed_time(&self) -> Option<Timestamp> {
        self.occurred_at.filter(|at| at.duration_since(self.received_at) <= SKEW_MAX)
    }
}

impl InputSource {
    /// Returns the operator; `None` for a satellite.
    pub fn operator(&self) -> Option<&Operator> {
        match self {
            Self::Satellite(_) => None,
            Self::Api(operator) | Self::Matrix { operator, .. } => Some(operator),
        }
    }

    /// Returns the notification; `None` for an operator.
    pub fn notification(&self) -> Option<NotificationId> {
        match self {
            Self::Satellite(notification) => Some(*notification),
            Self::Api(_) | Self::Matrix { .. } => None,
        }
    }

    /// Returns the reaction or reply; `None` if it came through this service.
    pub fn event(&self) -> Option<&EventId> {
        match self {
            Self::Satellite(_) | Self::Api(_) => None,
            Self::Matrix { event, .. } => Some(event),
        }
    }

    /// Returns the value of `via`.
    pub fn via(&self) -> &'static str {
        match self {
            Self::Satellite(_) => "satellite",
            Self::Api(_) => "api",
            Self::Matrix { .. } => "matrix",
        }
    }
}

impl Action {
    /// Returns the kind.
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::Trigger(_) => ActionKind::Trigger,
            Self::Update(_) => ActionKind::Update,
            Self::Acknowledge => ActionKind::Acknowledge,
            Self::Unacknowledge => ActionKind::Unacknowledge,
            Self::Resolve => ActionKind::Resolve,
            Self::Cancel => ActionKind::Cancel,
            Self::Comment => ActionKind::Comment,
        }
    }
}

impl ActionKind {
    /// All kinds.
    const ALL: [Self; 7] = [
        Self::Trigger,
        Self::Update,
        Self::Acknowledge,
        Self::Unacknowledge,
        Self::Resolve,
        Self::Cancel,
        Self::Comment,
    ];

    /// Parses the stored form; `None` if it is unknown.
    pub fn parse(stored: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == stored)
    }

    /// Returns the value in responses and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Update => "update",
            Self::Acknowledge => "acknowledge",
            Self::Unacknowledge => "unacknowledge",
            Self::Resolve => "resolve",
            Self::Cancel => "cancel",
            Self::Comment => "comment",
        }
    }
}
