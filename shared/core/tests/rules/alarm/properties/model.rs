//! A naive model of an alarm, which looks at each minute.

use jiff::Timestamp;
use messenger_core::{
    alarm::{Action, ActionKind, Alarm, Input, State, Trigger},
    notification::{Draft, Priority},
};

use super::super::{ACK_EXPIRES_AFTER, START};

const DAY: i64 = 24 * 60;

/// The alarm. Times are minutes since the start.
pub(in crate::alarm) struct Model {
    /// The number of the newest episode.
    pub(super) episode: i64,
    minute: i64,
    state: State,
    draft: Option<Draft>,
    is_ack_required: bool,
    is_acknowledged: bool,
    is_stale: bool,
    occurrences: i64,
    active_since: i64,
    expires_at: i64,
    cleared_at: i64,
    ended_at: i64,
    resolve_at: i64,
    newest: Option<(i64, ActionKind)>,
}

/// A time that never comes.
const NEVER: i64 = i64::MAX;

impl Model {
    /// An alarm without any episode.
    pub(in crate::alarm) fn new() -> Self {
        Self {
            episode: 0,
            minute: 0,
            state: State::Normal,
            draft: None,
            is_ack_required: false,
            is_acknowledged: false,
            is_stale: false,
            occurrences: 0,
            active_since: 0,
            expires_at: NEVER,
            cleared_at: 0,
            ended_at: 0,
            resolve_at: NEVER,
            newest: None,
        }
    }

    /// Lets each minute up to a time pass.
    pub(in crate::alarm) fn advance(&mut self, to: Timestamp) {
        while self.minute < minute(to) {
            self.minute += 1;
            if self.resolve_at == self.minute {
                self.clear();
            }
            if self.state.is_active() && self.expires_at == self.minute {
                self.open();
            }
            if self.state.is_active() && self.minute - self.active_since == DAY {
                self.is_stale = true;
            }
            if self.state == State::RtnUnack && self.minute - self.cleared_at == DAY {
                self.end();
            }
        }
    }

    /// Applies an input that arrives now.
    pub(in crate::alarm) fn apply(&mut self, input: &Input) {
        if input.expected.episode.is_some_and(|expected| expected != self.episode) {
            return;
        }
        if let Some(occurred_at) = input.occurred_at {
            let occurrence = (minute(occurred_at), input.action.kind());
            if self.newest == Some(occurrence) {
                if let Action::Trigger(trigger) = &input.action
                    && self.state.is_active()
                {
                    self.renew(trigger);
                }
                return;
            }
            if self.newest.is_some_and(|(newest, _)| occurrence.0 < newest) {
                return;
            }
            self.newest = Some(occurrence);
        }
        self.act(&input.action, input.source.operator().is_some());
    }

    fn act(&mut self, action: &Action, is_operator: bool) {
        match (action, self.state) {
            (Action::Trigger(trigger), _) => self.trigger(trigger),
            (_, State::Normal) | (Action::Comment, _) => {}
            (Action::Update(draft), _) => self.take_text(draft),
            (Action::Acknowledge, State::ActiveUnack) => {
                self.state = State::ActiveAck;
                self.is_acknowledged = true;
                self.expires_at = self.minute + i64::from(ACK_EXPIRES_AFTER);
            }
            (Action::Acknowledge, State::RtnUnack) | (Action::Cancel, _) => self.end(),
            (Action::Resolve, _) if is_operator => self.end(),
            (Action::Unacknowledge, State::ActiveAck) if self.is_acknowledged => self.open(),
            (Action::Resolve, State::ActiveUnack | State::ActiveAck) => self.clear(),
            _ => {}
        }
    }

    fn trigger(&mut self, trigger: &Trigger) {
        let priority = self.draft.as_ref().map(|draft| draft.priority);
        if self.episode == 0 || self.state == State::Normal && self.minute - self.ended_at > 15 {
            self.episode += 1;
            self.occurrences = 0;
            self.is_ack_required = trigger.ack.is_required;
            self.draft = Some(trigger.draft.clone());
        }
        self.occurrences += 1;
        self.renew(trigger);
        self.take_text(&trigger.draft);
        let draft = self.draft.as_mut().expect("an episode has a text");
        draft.priority = draft.priority.max(trigger.draft.priority);
        if !self.state.is_active() {
            self.active_since = self.minute;
            self.is_stale = false;
            self.open();
        } else if priority.is_none_or(|priority| draft.priority > priority) {
            self.open();
        }
    }

    fn open(&mut self) {
        self.is_acknowledged = false;
        self.expires_at = NEVER;
        self.state = if self.is_ack_required { State::ActiveUnack } else { State::ActiveAck };
    }

    fn clear(&mut self) {
        self.cleared_at = self.minute;
        self.resolve_at = NEVER;
        if self.state == State::ActiveUnack {
            self.state = State::RtnUnack;
        } else {
            self.end();
        }
    }

    fn end(&mut self) {
        self.state = State::Normal;
        self.ended_at = self.minute;
        self.resolve_at = NEVER;
    }

    fn renew(&mut self, trigger: &Trigger) {
        self.resolve_at = trigger
            .resolve_after
            .map_or(NEVER, |after| self.minute + i64::try_from(after.as_secs() / 60).expect("a short time"));
    }

    fn take_text(&mut self, draft: &Draft) {
        if let Some(own) = self.draft.as_mut().filter(|own| own.target == draft.target) {
            own.title.clone_from(&draft.title);
        }
    }

    /// Compares an alarm with the model.
    #[track_caller]
    pub(in crate::alarm) fn check(&self, alarm: &Alarm) {
        assert_eq!((alarm.episode_number(), alarm.state()), (self.episode, self.state));
        assert_eq!(alarm.newest_occurrence.map(|newest| (minute(newest.at), newest.action)), self.newest);
        let Some(episode) = &alarm.episode else { return };
        assert_eq!(Some(&episode.draft), self.draft.as_ref());
        assert_eq!((episode.occurrences, episode.is_stale), (self.occurrences, self.is_stale));
        assert_eq!(minute(episode.active_since), self.active_since);
        assert_eq!(episode.ended_at.map(minute), (self.state == State::Normal).then_some(self.ended_at));
        assert!(episode.draft.priority >= Priority::Low);
    }
}

fn minute(at: Timestamp) -> i64 {
    at.duration_since(START).as_mins()
}
