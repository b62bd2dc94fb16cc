//! The rule of alarms: its states, episodes, order and rings.

mod conflicts;
mod episodes;
mod histories;
mod occurrences;
mod properties;
mod readers;
mod rings;
mod states;
mod text;

use std::time::Duration;

use jiff::Timestamp;
use messenger_core::{
    alarm::{
        AckRule, Action, Alarm, AlarmKey, Change, Deadline, Episode, Expected, Input, InputSource,
        JournalCause, Operator, Outcome, RingReason, State, Trigger, step,
    },
    id::{AlarmId, AlarmInputId, EventId, NotificationId},
    notification::{Draft, Priority},
};
use messenger_testkit::fixtures;

/// 08:14 in Berlin, in winter.
const START: Timestamp = Timestamp::constant(1_767_251_640, 0);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// The minutes after which each acknowledgement of a random history expires.
const ACK_EXPIRES_AFTER: u32 = 45;
const APPLIED: Outcome = Outcome::Applied { warning: None };

/// An alarm that is stepped with each input, and its clock.
struct Site {
    alarm: Alarm,
    now: Timestamp,
    inputs: i64,
}

/// An entry of the journal without its time and sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Journaled {
    Input(Outcome),
    Deadline(Deadline),
}

impl Site {
    /// An alarm without any episode.
    fn new() -> Self {
        let key = AlarmKey {
            tenant: fixtures::TENANT,
            source_app: "inventory".to_owned(),
            dedup_key: "press-7".to_owned(),
        };
        Self { alarm: Alarm::new(AlarmId(3), key), now: START, inputs: 0 }
    }

    /// An alarm in this state, reached with this trigger. A normal one has been so for 20 minutes.
    fn in_state(state: State, first: &Trigger) -> Self {
        let mut site = Self::new();
        site.send(Action::Trigger(first.clone()));
        match state {
            State::ActiveUnack => {}
            State::ActiveAck => drop(site.act(Action::Acknowledge)),
            State::RtnUnack => drop(site.send(Action::Resolve)),
            State::Normal => {
                site.act(Action::Resolve);
                site.now += MINUTE * 20;
            }
        }
        assert_eq!(site.alarm.state(), state);
        site
    }

    /// Lets time pass and steps the alarm without an input.
    fn wait(&mut self, time: Duration) -> Change {
        self.now += time;
        self.step(&[])
    }

    /// Steps the alarm with an input of the satellite.
    fn send(&mut self, action: Action) -> Change {
        let input = self.by_satellite(action);
        self.step(&[input])
    }

    /// Steps the alarm with an act of Max Müller through this service.
    fn act(&mut self, action: Action) -> Change {
        let input = self.input(InputSource::Api(operator("Max Müller")), action);
        self.step(&[input])
    }

    fn trigger(&mut self) -> Change {
        self.send(Action::Trigger(trigger()))
    }

    fn step(&mut self, inputs: &[Input]) -> Change {
        let change = step(&self.alarm, inputs, self.now);
        assert_eq!(change.expected_revision, self.alarm.revision);
        assert_eq!(change.outcomes.len(), inputs.len());
        self.alarm = change.alarm.clone();
        change
    }

    fn by_satellite(&mut self, action: Action) -> Input {
        let notification = NotificationId(self.inputs + 1);
        self.input(InputSource::Satellite(notification), action)
    }

    fn input(&mut self, source: InputSource, action: Action) -> Input {
        self.inputs += 1;
        Input {
            id: Some(AlarmInputId(self.inputs)),
            received_at: self.now,
            source,
            action,
            occurred_at: None,
            expected: Expected::default(),
            comment: None,
        }
    }

    fn episode(&self) -> &Episode {
        self.alarm.episode.as_ref().expect("the alarm has an episode")
    }
}

/// A trigger of normal priority that needs an acknowledgement.
fn trigger() -> Trigger {
    let ack = AckRule { is_required: true, expires_after: None };
    Trigger { draft: fixtures::draft("Öldruck"), ack, resolve_after: None }
}

/// A trigger that needs no acknowledgement.
fn without_ack() -> Trigger {
    Trigger { ack: AckRule { is_required: false, expires_after: None }, ..trigger() }
}

fn with_priority(priority: Priority) -> Trigger {
    let trigger = trigger();
    Trigger { draft: Draft { priority, ..trigger.draft }, ..trigger }
}

fn operator(name: &str) -> Operator {
    Operator { id: fixtures::user(name), display_name: name.to_owned() }
}

/// A reaction or reply of an operator.
fn from_matrix(name: &str, event: &str) -> InputSource {
    InputSource::Matrix { operator: operator(name), event: EventId::new(event) }
}

fn journaled(change: &Change) -> Vec<Journaled> {
    let causes = change.journal.iter().map(|entry| match &entry.cause {
        JournalCause::Input { outcome, .. } => Journaled::Input(*outcome),
        JournalCause::Deadline(deadline) => Journaled::Deadline(*deadline),
    });
    causes.collect()
}

fn ring(change: &Change) -> Option<RingReason> {
    change.ring.map(|ring| ring.reason)
}
