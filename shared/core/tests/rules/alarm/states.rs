//! The table of states and inputs.

use std::time::Duration;

use messenger_core::{
    alarm::{
        AckRule, Action, ChangeKind, Conflict, Deadline, IgnoredReason, Outcome, RingReason, State, Trigger,
    },
    notification::{Draft, Priority},
};
use messenger_testkit::fixtures;

use super::{APPLIED, HOUR, Journaled, MINUTE, Site, journaled, ring, trigger, with_priority, without_ack};

use State::{ActiveAck as AA, ActiveUnack as UA, Normal as N, RtnUnack as RU};

const NO_OPEN_ALARM: Option<Journaled> = Some(Journaled::Input(Outcome::Ignored(IgnoredReason::NoOpenAlarm)));
const NOT_ACKNOWLEDGED: Option<Journaled> =
    Some(Journaled::Input(Outcome::Refused(Conflict::NotAcknowledged)));
const UNCHANGED: Option<Journaled> = Some(Journaled::Input(Outcome::Unchanged));
const DONE: Option<Journaled> = Some(Journaled::Input(APPLIED));
const NOTHING: Option<Journaled> = None;

/// The entry of the journal, the state afterwards, and the ring.
type Cell = (Option<Journaled>, State, Option<RingReason>);

/// A cause of changes.
enum Cause {
    Satellite(Action),
    Operator(Action),
    Wait(Duration),
}

/// Checks a row: the cells of the states normal, `active_unack`, `active_ack` and `rtn_unack`, each reached
/// with the trigger `first`.
#[track_caller]
fn check(first: &Trigger, cause: &Cause, row: [Cell; 4]) {
    for (from, (entry, to, rings)) in [N, UA, AA, RU].into_iter().zip(row) {
        let mut site = Site::in_state(from, first);
        let before = site.alarm.clone();
        let change = match cause {
            Cause::Satellite(action) => site.send(action.clone()),
            Cause::Operator(action) => site.act(action.clone()),
            Cause::Wait(time) => site.wait(*time),
        };
        assert_eq!(journaled(&change), entry.into_iter().collect::<Vec<_>>(), "journal from {from:?}");
        assert_eq!(site.alarm.state(), to, "state from {from:?}");
        assert_eq!(ring(&change), rings, "ring from {from:?}");
        let is_recorded = i64::from(entry.is_some());
        assert_eq!(site.alarm.revision, before.revision + is_recorded, "revision from {from:?}");
        if from != to {
            assert_eq!(change.kind, ChangeKind::State);
            assert_eq!(site.alarm.state_revision, site.alarm.revision);
            assert!(!change.events.is_empty(), "a change of state is published at once");
        }
    }
}

fn again(trigger: Trigger) -> Cause {
    Cause::Satellite(Action::Trigger(trigger))
}

#[test]
fn a_trigger_opens_counts_or_re_opens() {
    let (began, came_again) = (Some(RingReason::Triggered), Some(RingReason::Reopened));
    let row = [(DONE, UA, began), (DONE, UA, None), (DONE, AA, None), (DONE, UA, came_again)];
    check(&trigger(), &again(trigger()), row);
}

#[test]
fn a_trigger_of_higher_priority_rings_and_needs_another_acknowledgement() {
    let (began, raised) = (Some(RingReason::Triggered), Some(RingReason::PriorityRaised));
    let row = [(DONE, UA, began), (DONE, UA, raised), (DONE, UA, raised), (DONE, UA, raised)];
    check(&trigger(), &again(with_priority(Priority::High)), row);
}

#[test]
fn an_update_changes_the_text_of_an_open_alarm() {
    let update = Cause::Satellite(Action::Update(fixtures::draft("Öldruck 0,4 bar")));
    let row = [(NO_OPEN_ALARM, N, None), (DONE, UA, None), (DONE, AA, None), (DONE, RU, None)];
    check(&trigger(), &update, row);
}

#[test]
fn an_acknowledgement_never_re_opens() {
    let row = [(NO_OPEN_ALARM, N, None), (DONE, AA, None), (UNCHANGED, AA, None), (DONE, N, None)];
    check(&trigger(), &Cause::Operator(Action::Acknowledge), row);
    check(&trigger(), &Cause::Satellite(Action::Acknowledge), row);
}

#[test]
fn only_an_acknowledgement_can_be_withdrawn() {
    let row =
        [(NOT_ACKNOWLEDGED, N, None), (UNCHANGED, UA, None), (DONE, UA, None), (NOT_ACKNOWLEDGED, RU, None)];
    check(&trigger(), &Cause::Operator(Action::Unacknowledge), row);
}

#[test]
fn a_satellite_resolves_an_alarm_that_may_still_need_an_acknowledgement() {
    let row = [(NO_OPEN_ALARM, N, None), (DONE, RU, None), (DONE, N, None), (UNCHANGED, RU, None)];
    check(&trigger(), &Cause::Satellite(Action::Resolve), row);
}

#[test]
fn an_operator_who_resolves_an_alarm_also_acknowledges_it() {
    let row = [(NO_OPEN_ALARM, N, None), (DONE, N, None), (DONE, N, None), (DONE, N, None)];
    check(&trigger(), &Cause::Operator(Action::Resolve), row);
    let mut site = Site::in_state(RU, &trigger());
    site.act(Action::Resolve);
    assert!(site.episode().acknowledgement.is_some());
}

#[test]
fn a_cancelled_alarm_is_normal() {
    let row = [(NO_OPEN_ALARM, N, None), (DONE, N, None), (DONE, N, None), (DONE, N, None)];
    check(&trigger(), &Cause::Satellite(Action::Cancel), row);
}

#[test]
fn a_comment_changes_no_state() {
    let row = [(DONE, N, None), (DONE, UA, None), (DONE, AA, None), (DONE, RU, None)];
    check(&trigger(), &Cause::Operator(Action::Comment), row);
    let change = Site::new().act(Action::Comment);
    assert_eq!(change.outcomes, [Outcome::Ignored(IgnoredReason::NoOpenAlarm)]);
}

#[test]
fn an_acknowledgement_expires() {
    let ack = AckRule { is_required: true, expires_after: Some(HOUR) };
    let expired = Some(Journaled::Deadline(Deadline::AckExpired));
    let row = [(NOTHING, N, None), (NOTHING, UA, None), (expired, UA, None), (NOTHING, RU, None)];
    check(&Trigger { ack, ..trigger() }, &Cause::Wait(HOUR), row);
}

#[test]
fn an_alarm_without_a_further_trigger_is_resolved() {
    let timeout = Some(Journaled::Deadline(Deadline::ResolveTimeout));
    let row = [(NOTHING, N, None), (timeout, RU, None), (timeout, N, None), (NOTHING, RU, None)];
    check(&Trigger { resolve_after: Some(HOUR), ..trigger() }, &Cause::Wait(HOUR), row);
}

#[test]
fn an_active_alarm_is_stale_after_a_day_and_an_unacknowledged_one_is_closed() {
    let stale = Some(Journaled::Deadline(Deadline::Stale));
    let closed = Some(Journaled::Deadline(Deadline::ClosedUnseen));
    let row = [(NOTHING, N, None), (stale, UA, None), (stale, AA, None), (closed, N, None)];
    check(&trigger(), &Cause::Wait(HOUR * 24), row);
    let row = [(NOTHING, N, None), (NOTHING, UA, None), (NOTHING, AA, None), (NOTHING, RU, None)];
    check(&trigger(), &Cause::Wait(MINUTE * 1439), row);
}

#[test]
fn an_alarm_that_needs_no_acknowledgement_is_never_unacknowledged() {
    let mut site = Site::new();
    let began = site.send(Action::Trigger(without_ack()));
    assert_eq!((site.alarm.state(), ring(&began)), (AA, Some(RingReason::Triggered)));
    let unacknowledged = site.act(Action::Unacknowledge);
    assert_eq!(unacknowledged.outcomes, [Outcome::Refused(Conflict::NotAcknowledged)]);
    let urgent = Draft { priority: Priority::Urgent, ..trigger().draft };
    let raised = site.send(Action::Trigger(Trigger { draft: urgent, ..without_ack() }));
    assert_eq!((site.alarm.state(), ring(&raised)), (AA, Some(RingReason::PriorityRaised)));
    site.send(Action::Resolve);
    assert_eq!(site.alarm.state(), N);
}

#[test]
fn a_step_without_cause_changes_nothing() {
    for state in State::ALL {
        let mut site = Site::in_state(state, &trigger());
        let before = site.alarm.clone();
        let change = site.step(&[]);
        assert_eq!((change.alarm, change.kind), (before, ChangeKind::None));
        assert!(change.journal.is_empty() && change.events.is_empty());
    }
}

#[test]
fn states_have_the_names_of_the_standard() {
    let names = State::ALL.map(State::as_str);
    assert_eq!(names, ["normal", "active_unack", "active_ack", "rtn_unack"]);
    assert_eq!(names.map(State::parse), State::ALL.map(Some));
    assert_eq!(State::parse("shelved"), None);
}
