//! Rings, and chattering alarms.

use messenger_core::{
    alarm::{Action, Change, LiveEvent, RingReason, State},
    notification::Priority,
};

use super::{HOUR, MINUTE, SECOND, START, Site, ring, trigger, with_priority};

/// Resolves the alarm and triggers it again after this time.
fn flap(site: &mut Site, after: std::time::Duration) -> Change {
    site.send(Action::Resolve);
    site.now += after;
    site.trigger()
}

#[test]
fn a_fault_that_comes_again_rings_at_most_once_in_five_minutes() {
    let mut site = Site::new();
    site.trigger();
    let rings: Vec<_> = (0..12).map(|_| ring(&flap(&mut site, SECOND * 61))).collect();
    let again = Some(RingReason::Reopened);
    assert_eq!(rings, [again, None, None, None, None, again, None, None, None, None, again, None]);
}

#[test]
fn a_risen_priority_always_rings() {
    let mut site = Site::new();
    site.send(Action::Trigger(with_priority(Priority::Low)));
    for priority in [Priority::Normal, Priority::High, Priority::Urgent] {
        site.act(Action::Acknowledge);
        site.now += SECOND;
        let change = site.send(Action::Trigger(with_priority(priority)));
        assert_eq!(
            (ring(&change), site.alarm.state()),
            (Some(RingReason::PriorityRaised), State::ActiveUnack)
        );
    }
    assert_eq!(ring(&flap(&mut site, MINUTE)), None, "it counts as a ring of the last five minutes");
}

#[test]
fn a_ring_is_dropped_if_the_fault_is_noticed_in_the_same_step() {
    let mut site = Site::in_state(State::RtnUnack, &trigger());
    let again = site.by_satellite(Action::Trigger(trigger()));
    let noticed = site.by_satellite(Action::Acknowledge);
    assert_eq!(ring(&site.step(&[again, noticed])), None);
    assert_eq!(
        ring(&flap(&mut site, MINUTE * 2)),
        Some(RingReason::Reopened),
        "the dropped one does not count"
    );
}

#[test]
fn an_episode_that_begins_in_a_step_has_only_the_ring_of_its_root() {
    let mut site = Site::new();
    let inputs = [Priority::Normal, Priority::Urgent]
        .map(|priority| site.by_satellite(Action::Trigger(with_priority(priority))));
    let change = site.step(&inputs);
    assert_eq!(ring(&change), Some(RingReason::Triggered));
    assert_eq!(site.episode().draft.priority, Priority::Urgent);
}

#[test]
fn an_alarm_chatters_from_its_third_activation_in_a_minute_until_ten_calm_minutes() {
    let mut site = Site::new();
    site.trigger();
    assert_eq!(ring(&flap(&mut site, SECOND * 30)), Some(RingReason::Reopened));
    assert!(!site.alarm.chattering.is_on(site.now));
    flap(&mut site, SECOND * 30);
    assert!(site.alarm.chattering.is_on(site.now));
    flap(&mut site, MINUTE * 9);
    assert!(site.alarm.chattering.is_on(site.now + MINUTE * 10 - SECOND));
    assert!(!site.alarm.chattering.is_on(site.now + MINUTE * 10));
    assert_eq!(ring(&flap(&mut site, MINUTE * 10)), Some(RingReason::Reopened));
}

#[test]
fn slower_activations_and_triggers_of_an_active_alarm_are_no_chattering() {
    let mut site = Site::new();
    site.trigger();
    flap(&mut site, SECOND * 30);
    flap(&mut site, SECOND * 31);
    for _ in 0..20 {
        site.trigger();
    }
    assert!(!site.alarm.chattering.is_on(site.now));
}

#[test]
fn a_chattering_alarm_neither_rings_nor_is_announced_again_but_its_priority_rings() {
    let mut site = Site::new();
    let announced = |change: &Change| {
        change.events.iter().filter(|event| matches!(event, LiveEvent::Notification { .. })).count()
    };
    for expected in [1, 1, 0, 0] {
        let change = site.trigger();
        assert_eq!(announced(&change), expected);
        site.act(Action::Resolve);
        site.now += SECOND * 20;
    }
    site.now += MINUTE * 6;
    assert_eq!(ring(&site.trigger()), None);
    let raised = site.send(Action::Trigger(with_priority(Priority::Urgent)));
    assert_eq!(ring(&raised), Some(RingReason::PriorityRaised));
}

#[test]
fn a_new_episode_rings_by_its_root() {
    let mut site = Site::in_state(State::Normal, &trigger());
    site.now = START + HOUR;
    assert_eq!(ring(&site.trigger()), Some(RingReason::Triggered));
}
