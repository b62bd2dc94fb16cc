//! The order of inputs by the time of the satellite.

use jiff::Timestamp;
use messenger_core::alarm::{Action, Change, IgnoredReason, Outcome, State, Trigger};

use super::{APPLIED, HOUR, MINUTE, START, Site, ring, trigger};

const STALE: Outcome = Outcome::Ignored(IgnoredReason::StaleInput);

fn send_at(site: &mut Site, occurred_at: Timestamp, action: Action) -> Change {
    let mut input = site.by_satellite(action);
    input.occurred_at = Some(occurred_at);
    site.step(&[input])
}

#[test]
fn the_same_occurrence_counts_and_rings_nothing() {
    let short = Action::Trigger(Trigger { resolve_after: Some(HOUR), ..trigger() });
    let mut site = Site::new();
    send_at(&mut site, START, short.clone());
    site.now += MINUTE * 30;
    let change = send_at(&mut site, START, short.clone());
    assert_eq!((&change.outcomes[..], ring(&change)), (&[Outcome::Unchanged][..], None));
    assert_eq!(site.episode().occurrences, 1);
    assert_eq!(site.episode().resolve_at, Some(site.now + HOUR), "it shows that the fault is still present");
    site.act(Action::Resolve);
    send_at(&mut site, START, short);
    assert_eq!(site.alarm.state(), State::Normal, "it does not re-open");
}

#[test]
fn an_older_input_changes_nothing() {
    let mut site = Site::new();
    send_at(&mut site, START, Action::Trigger(trigger()));
    send_at(&mut site, START + MINUTE, Action::Resolve);
    for action in [Action::Trigger(trigger()), Action::Update(trigger().draft), Action::Acknowledge] {
        assert_eq!(send_at(&mut site, START + MINUTE - super::SECOND, action).outcomes, [STALE]);
    }
    assert_eq!((site.alarm.state(), site.episode().occurrences), (State::RtnUnack, 1));
}

#[test]
fn a_trigger_that_comes_after_its_resolution_opens_nothing() {
    let mut site = Site::new();
    let resolved = send_at(&mut site, START + MINUTE, Action::Resolve);
    assert_eq!(resolved.outcomes, [Outcome::Ignored(IgnoredReason::NoOpenAlarm)]);
    assert_eq!(send_at(&mut site, START, Action::Trigger(trigger())).outcomes, [STALE]);
    assert_eq!(site.alarm.episode, None);
}

#[test]
fn two_actions_of_the_same_time_are_both_applied() {
    let mut site = Site::new();
    send_at(&mut site, START, Action::Trigger(trigger()));
    assert_eq!(send_at(&mut site, START, Action::Resolve).outcomes, [APPLIED]);
}

#[test]
fn inputs_without_a_time_are_applied_in_the_order_of_their_arrival() {
    let mut site = Site::new();
    send_at(&mut site, START, Action::Trigger(trigger()));
    site.trigger();
    assert_eq!(site.episode().occurrences, 2);
    assert_eq!(site.act(Action::Acknowledge).outcomes, [APPLIED]);
}

#[test]
fn a_satellite_whose_clock_is_fast_does_not_make_later_inputs_stale() {
    let mut site = Site::new();
    send_at(&mut site, START + HOUR, Action::Trigger(trigger()));
    assert_eq!(send_at(&mut site, START, Action::Resolve).outcomes, [APPLIED]);
    assert_eq!(send_at(&mut site, START + MINUTE * 5, Action::Trigger(trigger())).outcomes, [APPLIED]);
    assert_eq!(send_at(&mut site, START, Action::Resolve).outcomes, [STALE]);
}
