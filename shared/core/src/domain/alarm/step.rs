//! The rule that changes an alarm.

use jiff::Timestamp;

use crate::domain::alarm::{
    Action, Alarm, Change, ChangeKind, ClearedBy, Conflict, Deadline, Episode, Expected, IgnoredReason,
    Input, InputSource, JournalCause, Outcome, Ring, RingReason, State, Trigger, Warning,
    change_builder::ChangeBuilder, occurrence::Order,
};

/// Applies the waiting inputs of an alarm in their order, and each deadline that has passed at its time.
///
/// `now` is the time of the database. State, journal and times follow from [`Input::received_at`]: they depend
/// neither on the moment at which inputs are applied, nor on the number of steps. Rings and live events are
/// those of `now`: a ring whose reason is already over is left out.
pub fn step(alarm: &Alarm, inputs: &[Input], now: Timestamp) -> Change {
    let mut change = ChangeBuilder::new(alarm);
    for input in inputs {
        change.pass_deadlines(input.received_at);
        change.apply(input);
    }
    change.pass_deadlines(now);
    change.finish(now)
}

impl ChangeBuilder<'_> {
    /// Applies the deadlines up to a time.
    fn pass_deadlines(&mut self, until: Timestamp) {
        while let Some(episode) = &mut self.alarm.episode
            && let Some((at, deadline)) = Deadline::first(episode).filter(|(at, _)| *at <= until)
        {
            deadline.pass(episode, at);
            self.note(if deadline == Deadline::Stale { ChangeKind::Detail } else { ChangeKind::State });
            self.record(at, JournalCause::Deadline(deadline));
        }
    }

    fn apply(&mut self, input: &Input) {
        let outcome = self.outcome(input);
        self.outcomes.push(outcome);
        let cause = JournalCause::Input {
            id: input.id,
            source: input.source.clone(),
            action: input.action.kind(),
            comment: input.comment.clone(),
            outcome,
        };
        self.record(input.received_at, cause);
    }

    fn outcome(&mut self, input: &Input) -> Outcome {
        if let Some(conflict) = self.conflict(input.expected) {
            return Outcome::Refused(conflict);
        }
        match Order::of(input, self.alarm.newest_occurrence) {
            Order::Older => return Outcome::Ignored(IgnoredReason::StaleInput),
            Order::Same => return self.repeat(input),
            Order::Newer(None) => {}
            Order::Newer(occurrence) => self.alarm.newest_occurrence = occurrence,
        }
        match &input.action {
            Action::Trigger(trigger) => self.trigger(trigger, input),
            Action::Update(_) | Action::Comment => self.amend(&input.action),
            Action::Acknowledge => self.acknowledge(input),
            Action::Unacknowledge => self.unacknowledge(&input.source),
            Action::Resolve => self.resolve(input),
            Action::Cancel => self.cancel(input.received_at),
        }
    }

    fn conflict(&self, expected: Expected) -> Option<Conflict> {
        if expected.episode.is_some_and(|number| number != self.alarm.episode_number()) {
            Some(Conflict::EpisodeOver)
        } else if expected.revision.is_some_and(|revision| revision < self.alarm.state_revision) {
            Some(Conflict::StateChanged)
        } else {
            None
        }
    }

    /// Applies an occurrence that was reported before: it only shows that the fault is still present.
    fn repeat(&mut self, input: &Input) -> Outcome {
        let active = self.alarm.episode.as_mut().filter(|episode| episode.state.is_active());
        if let (Some(episode), Action::Trigger(trigger)) = (active, &input.action) {
            episode.renew(trigger, input.received_at);
        }
        Outcome::Unchanged
    }

    fn trigger(&mut self, trigger: &Trigger, input: &Input) -> Outcome {
        let at = input.received_at;
        let Some(episode) = self.alarm.episode.as_mut().filter(|episode| episode.continues(at)) else {
            return self.begin(trigger, input);
        };
        let (before, priority) = (episode.state, episode.draft.priority);
        let has_other_target = episode.count(trigger, input);
        let is_raised = episode.draft.priority > priority;
        if !before.is_active() {
            episode.activate(at);
            self.alarm.chattering.record_activation(at);
        } else if is_raised {
            // A risen priority is a new call for attention (ISA-18.2, "re-alarming").
            episode.withdraw_acknowledgement();
        }
        if before.is_active() && !is_raised {
            self.note(ChangeKind::Detail);
        } else {
            self.note(ChangeKind::State);
            self.ring_again(is_raised, at);
        }
        if before == State::Normal && !self.alarm.chattering.is_on(at) {
            self.announce(input.source.notification());
        }
        Outcome::Applied { warning: has_other_target.then_some(Warning::OtherTarget) }
    }

    fn begin(&mut self, trigger: &Trigger, input: &Input) -> Outcome {
        let episode = Episode::begin(self.alarm.episode_number() + 1, trigger, input);
        self.ring = Some(Ring { episode: episode.number, reason: RingReason::Triggered });
        let earlier = self.alarm.episode.replace(episode);
        if earlier != self.before.episode {
            self.earlier_episodes.extend(earlier);
        }
        self.alarm.chattering.record_activation(input.received_at);
        self.note(ChangeKind::State);
        self.announce(input.source.notification());
        Outcome::Applied { warning: None }
    }

    /// Changes the text, or adds a comment.
    fn amend(&mut self, action: &Action) -> Outcome {
        let Some(episode) = &mut self.alarm.episode else {
            return Outcome::Ignored(IgnoredReason::NoOpenAlarm);
        };
        match action {
            Action::Update(_) if !episode.is_open() => return Outcome::Ignored(IgnoredReason::NoOpenAlarm),
            Action::Update(draft) if !episode.take_text(draft) => {
                return Outcome::Ignored(IgnoredReason::OtherTarget);
            }
            _ => self.note(ChangeKind::Detail),
        }
        Outcome::Applied { warning: None }
    }

    fn acknowledge(&mut self, input: &Input) -> Outcome {
        self.change_open(|episode| {
            if episode.state == State::ActiveAck {
                return Outcome::Unchanged;
            }
            episode.acknowledge(input);
            Outcome::Applied { warning: None }
        })
    }

    fn unacknowledge(&mut self, source: &InputSource) -> Outcome {
        if self.alarm.state() == State::Normal {
            return Outcome::Refused(Conflict::NotAcknowledged);
        }
        self.change_open(|episode| match (episode.state, &episode.acknowledgement) {
            (State::ActiveUnack, _) => Outcome::Unchanged,
            // Another reaction than that of the acknowledgement was redacted.
            (State::ActiveAck, Some(acknowledgement))
                if source.event().is_some() && source.event() != acknowledgement.by.event() =>
            {
                Outcome::Unchanged
            }
            (State::ActiveAck, Some(_)) => {
                episode.withdraw_acknowledgement();
                Outcome::Applied { warning: None }
            }
            _ => Outcome::Refused(Conflict::NotAcknowledged),
        })
    }

    fn resolve(&mut self, input: &Input) -> Outcome {
        let at = input.received_at;
        self.change_open(|episode| match input.source.operator() {
            None if !episode.state.is_active() => Outcome::Unchanged,
            None => {
                episode.clear(ClearedBy::Satellite, at);
                Outcome::Applied { warning: None }
            }
            Some(operator) => {
                if episode.acknowledgement.is_none() {
                    episode.acknowledge(input);
                }
                if episode.is_open() {
                    episode.clear(ClearedBy::Operator(operator.clone()), at);
                }
                Outcome::Applied { warning: None }
            }
        })
    }

    fn cancel(&mut self, at: Timestamp) -> Outcome {
        self.change_open(|episode| {
            episode.clear(ClearedBy::Cancellation, at);
            episode.end(at);
            Outcome::Applied { warning: None }
        })
    }

    /// Changes the state of an open alarm. A normal one ignores it: only a trigger opens an alarm.
    fn change_open(&mut self, change: impl FnOnce(&mut Episode) -> Outcome) -> Outcome {
        let Some(episode) = self.alarm.episode.as_mut().filter(|episode| episode.is_open()) else {
            return Outcome::Ignored(IgnoredReason::NoOpenAlarm);
        };
        let outcome = change(episode);
        if matches!(outcome, Outcome::Applied { .. }) {
            self.note(ChangeKind::State);
        }
        outcome
    }
}
