//! Properties of the rule of alarms, for random inputs at random times.

pub(super) mod inputs;
pub(super) mod model;

use jiff::{SignedDuration, Timestamp};
use messenger_core::{
    alarm::{
        Alarm, Change, Conflict, Input, JournalCause, JournalEntry, LiveEvent, Outcome, RingReason, State,
        step,
    },
    event::Audience,
};
use messenger_testkit::fixtures;
use proptest::prelude::*;

use super::{START, Site};
use inputs::{PRIVATE, PUBLIC, events, inputs};

/// The number of workers that step the same alarm.
const WORKERS: usize = 2;

/// An act on a store that several workers share.
#[derive(Debug, Clone)]
enum StoreAct {
    /// The next input is stored.
    Receive,
    /// A worker loads the alarm with its inputs. It forgets a change that is not stored, as after a crash.
    Load(usize),
    /// A worker stores its change, if the alarm still has the expected revision.
    Apply(usize),
}

fn store_acts() -> impl Strategy<Value = Vec<StoreAct>> {
    let act = prop_oneof![
        Just(StoreAct::Receive),
        (0..WORKERS).prop_map(StoreAct::Load),
        (0..WORKERS).prop_map(StoreAct::Apply),
    ];
    prop::collection::vec(act, 0..100)
}

/// The fields of an alarm that do not depend on the number of steps.
fn essence(alarm: &Alarm) -> Alarm {
    Alarm {
        revision: 0,
        state_revision: 0,
        repeated_ring_at: None,
        published_at: None,
        is_publish_due: false,
        ..alarm.clone()
    }
}

/// Steps an alarm with each input at its arrival, and at each time that a step names in between.
fn one_by_one(inputs: &[Input], end: Timestamp, mut check: impl FnMut(&Alarm, &Change, Timestamp)) -> Alarm {
    let mut alarm = Site::new().alarm;
    let mut take = |alarm: &mut Alarm, inputs: &[Input], now| {
        let change = step(alarm, inputs, now);
        check(alarm, &change, now);
        *alarm = change.alarm;
        change.next_at
    };
    let mut next_at = None;
    let arrivals = inputs.iter().map(|input| (input.received_at, std::slice::from_ref(input)));
    for (now, arrived) in arrivals.chain([(end, &[][..])]) {
        while let Some(due) = next_at.filter(|due| *due < now) {
            next_at = take(&mut alarm, &[], due);
        }
        next_at = take(&mut alarm, arrived, now);
    }
    alarm
}

/// Applies the acts on a store, and then all that is left. Returns the alarm and its journal.
fn by_workers(acts: &[StoreAct], inputs: &[Input], end: Timestamp) -> (Alarm, Vec<JournalEntry>) {
    let mut alarm = Site::new().alarm;
    let (mut journal, mut received, mut consumed) = (Vec::new(), 0, 0);
    let mut pending: [Option<Change>; WORKERS] = Default::default();
    for act in acts {
        match act {
            StoreAct::Receive => received = inputs.len().min(received + 1),
            StoreAct::Load(worker) => {
                let now = inputs[..received].last().map_or(START, |input| input.received_at);
                pending[*worker] = Some(step(&alarm, &inputs[consumed..received], now));
            }
            StoreAct::Apply(worker) => {
                let change = pending[*worker].clone();
                if let Some(change) = change.filter(|change| change.expected_revision == alarm.revision) {
                    consumed += change.outcomes.len();
                    journal.extend(change.journal);
                    alarm = change.alarm;
                }
            }
        }
    }
    let rest = step(&alarm, &inputs[consumed..], end);
    journal.extend(rest.journal);
    (rest.alarm, journal)
}

proptest! {
    #[test]
    fn the_rule_agrees_with_a_naive_model(events in events()) {
        let (inputs, model, end) = inputs(&events);
        let alarm = step(&Site::new().alarm, &inputs, end).alarm;
        model.check(&alarm);
        model.check(&one_by_one(&inputs, end, |_, _, _| {}));
    }

    /// I4 and I9: each input counts once, whatever workers step the alarm, and however often.
    #[test]
    fn inputs_count_once_by_any_number_of_workers(events in events(), acts in store_acts()) {
        let (inputs, _, end) = inputs(&events);
        let once = step(&Site::new().alarm, &inputs, end);
        let (alarm, journal) = by_workers(&acts, &inputs, end);
        prop_assert_eq!(essence(&alarm), essence(&once.alarm));
        prop_assert_eq!(&journal, &once.journal);
        let journaled = journal.iter().filter_map(|entry| match &entry.cause {
            JournalCause::Input { id, .. } => Some(*id),
            JournalCause::Deadline(_) => None,
        });
        prop_assert!(journaled.eq(inputs.iter().map(|input| input.id)), "each input is journaled once");
    }

    /// I5: an act on an earlier episode is refused, and changes nothing.
    #[test]
    fn only_the_present_episode_is_acknowledged(events in events()) {
        let (inputs, _, end) = inputs(&events);
        let mut next = inputs.iter();
        one_by_one(&inputs, end, |before, change, _| {
            for outcome in &change.outcomes {
                let expected = next.next().and_then(|input| input.expected.episode);
                let is_over = change.journal.last().map(|entry| entry.episode) != expected;
                assert_eq!(
                    *outcome == Outcome::Refused(Conflict::EpisodeOver),
                    expected.is_some() && is_over,
                    "{before:?}"
                );
            }
        });
    }

    /// I7: an episode that needs an acknowledgement begins without one. Only then it rings.
    #[test]
    fn episodes_begin_unacknowledged(events in events()) {
        let (inputs, _, end) = inputs(&events);
        let mut rang_at: Option<Timestamp> = None;
        one_by_one(&inputs, end, |before, change, now| {
            let Some(episode) = &change.alarm.episode else { return };
            let is_new = episode.number > before.episode_number();
            let is_again = !before.state().is_active() && episode.state.is_active();
            if is_new || is_again {
                assert_eq!(episode.state == State::ActiveUnack, episode.ack.is_required);
                assert_eq!(episode.acknowledgement, None);
            }
            if let Some(ring) = change.ring {
                assert!(episode.needs_attention());
                assert_eq!(ring.episode, episode.number);
                assert_eq!(ring.reason == RingReason::Triggered, is_new);
                if ring.reason == RingReason::Reopened {
                    let is_apart = |at: Timestamp| now.duration_since(at) >= SignedDuration::from_mins(5);
                    assert!(rang_at.is_none_or(is_apart));
                }
                rang_at = if is_new { rang_at } else { Some(now) };
            }
        });
    }

    /// I12: nothing crosses the tenant, nor the target of an episode.
    #[test]
    fn nothing_crosses_a_tenant_or_a_target(events in events()) {
        let (inputs, _, end) = inputs(&events);
        one_by_one(&inputs, end, |_, change, _| {
            for event in &change.events {
                let (LiveEvent::Notification { episode, audience, .. }
                | LiveEvent::Alarm { episode, audience }) = event;
                let of = change.earlier_episodes.iter().chain(&change.alarm.episode);
                let draft = &of.clone().find(|one| one.number == *episode).expect("an episode").draft;
                let everybody = Audience::Tenant(fixtures::TENANT);
                let anna = Audience::User(fixtures::TENANT, fixtures::user("anna"));
                let (readers, text) =
                    if draft.title.starts_with(PRIVATE) { (anna, PRIVATE) } else { (everybody, PUBLIC) };
                assert_eq!(*audience, readers);
                assert!(draft.title.starts_with(text));
            }
        });
    }

    /// Each change of state is published at once, and each other change within a second.
    #[test]
    fn the_last_change_is_always_published(events in events()) {
        let (inputs, _, end) = inputs(&events);
        let alarm = one_by_one(&inputs, end, |before, change, now| {
            let is_due = change.alarm.is_publish_due;
            assert!(!is_due || change.next_at.is_some_and(|at| at <= now + SignedDuration::from_secs(1)));
            assert!(before.state() == change.alarm.state() || !change.events.is_empty());
        });
        prop_assert!(!alarm.is_publish_due);
    }
}
