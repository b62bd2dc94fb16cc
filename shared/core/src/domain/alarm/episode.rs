//! An episode of an alarm: the time from its activation until it is normal again.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    alarm::{AckRule, Input, InputSource, Operator, State, Trigger},
    id::NotificationId,
    notification::Draft,
};

/// The time after the end of an episode in which a trigger continues it. A later one begins another episode.
pub const REOPEN_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// An episode of an alarm. It has one root message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Its number, beginning with 1.
    pub number: i64,
    /// The state.
    pub state: State,
    /// The target of the first trigger, the newest text for this target, and the highest priority so far.
    pub draft: Draft,
    /// The rule for acknowledgements.
    pub ack: AckRule,
    /// The notification of the first trigger.
    pub notification: Option<NotificationId>,
    /// The number of triggers.
    pub occurrences: i64,
    /// The time of the latest trigger: that of the satellite, or that of its receipt.
    pub last_occurred_at: Timestamp,
    /// The time of the first trigger.
    pub started_at: Timestamp,
    /// The time of the latest activation.
    pub active_since: Timestamp,
    /// Whether it has been active for a day without interruption (ISA-18.2, "stale alarm").
    pub is_stale: bool,
    /// The acknowledgement; `None` if nobody has acknowledged it since its latest activation.
    pub acknowledgement: Option<Acknowledgement>,
    /// The end of the fault; `None` while the alarm is active.
    pub clearing: Option<Clearing>,
    /// The time at which the fault counts as over without a further trigger.
    pub resolve_at: Option<Timestamp>,
    /// The time at which the alarm became normal; `None` while the episode is open.
    pub ended_at: Option<Timestamp>,
    /// Whether it ended because nobody acknowledged it for a day after the fault was over.
    pub is_closed_unseen: bool,
}

/// An acknowledgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The sender.
    pub by: InputSource,
    /// The time.
    pub at: Timestamp,
    /// The comment of an operator.
    pub comment: Option<String>,
    /// The time at which it expires; `None` if it does not.
    pub expires_at: Option<Timestamp>,
}

/// The end of a fault (ISA-18.2, "return to normal").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clearing {
    /// The time.
    pub at: Timestamp,
    /// The cause.
    pub by: ClearedBy,
}

/// The cause of the end of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClearedBy {
    /// The satellite reported it.
    Satellite,
    /// No trigger came in time.
    Timeout,
    /// An operator reported it.
    Operator(Operator),
    /// The alarm was cancelled.
    Cancellation,
}

impl Episode {
    /// Begins an episode.
    pub(super) fn begin(number: i64, trigger: &Trigger, input: &Input) -> Self {
        let at = input.received_at;
        Self {
            number,
            state: active(trigger.ack),
            draft: trigger.draft.clone(),
            ack: trigger.ack,
            notification: input.source.notification(),
            occurrences: 1,
            last_occurred_at: input.shown_at(),
            started_at: at,
            active_since: at,
            is_stale: false,
            acknowledgement: None,
            clearing: None,
            resolve_at: resolve_at(trigger, at),
            ended_at: None,
            is_closed_unseen: false,
        }
    }

    /// Returns whether the alarm is not normal.
    pub fn is_open(&self) -> bool {
        self.state != State::Normal
    }

    /// Returns whether an operator has yet to notice the fault. Only then a ring begins.
    pub fn needs_attention(&self) -> bool {
        self.state.is_active() && self.acknowledgement.is_none()
    }

    /// Returns whether a trigger at this time belongs to this episode.
    pub(super) fn continues(&self, at: Timestamp) -> bool {
        self.ended_at.is_none_or(|ended_at| at.duration_since(ended_at) <= REOPEN_WITHIN)
    }

    /// Counts a trigger. Returns whether it has another target: its text is not taken then, because other
    /// people may read it.
    pub(super) fn count(&mut self, trigger: &Trigger, input: &Input) -> bool {
        self.occurrences += 1;
        self.last_occurred_at = input.shown_at();
        self.draft.priority = self.draft.priority.max(trigger.draft.priority);
        self.renew(trigger, input.received_at);
        !self.take_text(&trigger.draft)
    }

    /// Renews the time at which the fault counts as over without a further trigger.
    pub(super) fn renew(&mut self, trigger: &Trigger, at: Timestamp) {
        self.resolve_at = resolve_at(trigger, at);
    }

    /// Takes the text of a draft with the same target. Returns `false` if it has another target.
    pub(super) fn take_text(&mut self, draft: &Draft) -> bool {
        let is_same = draft.target == self.draft.target;
        if is_same {
            self.draft = Draft { priority: self.draft.priority, ..draft.clone() };
        }
        is_same
    }

    /// Makes the alarm active and unacknowledged, after the fault came again.
    pub(super) fn activate(&mut self, at: Timestamp) {
        self.active_since = at;
        self.is_stale = false;
        self.is_closed_unseen = false;
        self.clearing = None;
        self.ended_at = None;
        self.withdraw_acknowledgement();
    }

    /// Makes an active alarm unacknowledged.
    pub(super) fn withdraw_acknowledgement(&mut self) {
        self.acknowledgement = None;
        self.state = active(self.ack);
    }

    /// Acknowledges the alarm. The episode ends if the fault is over.
    pub(super) fn acknowledge(&mut self, input: &Input) {
        let at = input.received_at;
        let expires_at = self.ack.expires_after.map(|after| at + after);
        let (by, comment) = (input.source.clone(), input.comment.clone());
        self.acknowledgement = Some(Acknowledgement { by, at, comment, expires_at });
        if self.state.is_active() {
            self.state = State::ActiveAck;
        } else {
            self.end(at);
        }
    }

    /// Records that the fault is over. The episode ends unless it still needs an acknowledgement.
    pub(super) fn clear(&mut self, by: ClearedBy, at: Timestamp) {
        self.clearing = Some(Clearing { at, by });
        self.resolve_at = None;
        if self.state == State::ActiveUnack {
            self.state = State::RtnUnack;
        } else {
            self.end(at);
        }
    }

    /// Ends the episode.
    pub(super) fn end(&mut self, at: Timestamp) {
        self.state = State::Normal;
        self.resolve_at = None;
        self.ended_at = Some(at);
    }
}

/// Returns the state of an active alarm that nobody has acknowledged.
fn active(ack: AckRule) -> State {
    if ack.is_required { State::ActiveUnack } else { State::ActiveAck }
}

fn resolve_at(trigger: &Trigger, at: Timestamp) -> Option<Timestamp> {
    trigger.resolve_after.map(|after| at + after)
}
