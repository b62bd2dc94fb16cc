//! Episodes: their begin, end, counter and priority.

use messenger_core::{
    alarm::{Action, ClearedBy, Deadline, JournalCause, RingReason, State, Trigger},
    notification::Priority,
};

use super::{HOUR, MINUTE, SECOND, START, Site, ring, trigger, with_priority};

#[test]
fn an_alarm_re_opens_within_fifteen_minutes() {
    let mut site = Site::new();
    site.trigger();
    site.act(Action::Acknowledge);
    site.send(Action::Resolve);
    site.now += MINUTE * 15;
    let change = site.trigger();
    let episode = site.episode();
    assert_eq!((episode.number, episode.state, episode.occurrences), (1, State::ActiveUnack, 2));
    assert_eq!((episode.started_at, episode.active_since), (START, site.now));
    assert_eq!((&episode.acknowledgement, &episode.clearing, episode.ended_at), (&None, &None, None));
    assert_eq!(ring(&change), Some(RingReason::Reopened));
}

#[test]
fn a_later_trigger_begins_another_episode() {
    let mut site = Site::new();
    site.trigger();
    site.trigger();
    site.act(Action::Resolve);
    site.now += MINUTE * 15 + SECOND;
    let change = site.trigger();
    let episode = site.episode();
    assert_eq!((episode.number, episode.state, episode.occurrences), (2, State::ActiveUnack, 1));
    assert_eq!(episode.started_at, site.now);
    assert_eq!(ring(&change), Some(RingReason::Triggered));
    assert!(change.earlier_episodes.is_empty(), "the first episode was stored before");
}

#[test]
fn a_fault_that_comes_again_before_it_is_acknowledged_continues_its_episode() {
    let mut site = Site::in_state(State::RtnUnack, &trigger());
    site.now += HOUR;
    site.trigger();
    assert_eq!((site.episode().number, site.episode().occurrences), (1, 2));
}

#[test]
fn the_priority_never_falls_within_an_episode() {
    let mut site = Site::new();
    for (sent, stored) in [
        (Priority::Low, Priority::Low),
        (Priority::High, Priority::High),
        (Priority::Normal, Priority::High),
        (Priority::Urgent, Priority::Urgent),
        (Priority::Low, Priority::Urgent),
    ] {
        site.send(Action::Trigger(with_priority(sent)));
        assert_eq!(site.episode().draft.priority, stored);
    }
    site.send(Action::Update(with_priority(Priority::Low).draft));
    assert_eq!(site.episode().draft.priority, Priority::Urgent);
    site.act(Action::Resolve);
    site.now += HOUR;
    site.send(Action::Trigger(with_priority(Priority::Low)));
    assert_eq!(site.episode().draft.priority, Priority::Low);
}

#[test]
fn two_episodes_in_one_step_are_both_stored() {
    let mut site = Site::new();
    let first = site.by_satellite(Action::Trigger(trigger()));
    let resolved = site.by_satellite(Action::Cancel);
    site.now += HOUR;
    let second = site.by_satellite(Action::Trigger(trigger()));
    let change = site.step(&[first, resolved, second]);
    let ended = &change.earlier_episodes[0];
    assert_eq!((ended.number, ended.state, ended.ended_at), (1, State::Normal, Some(START)));
    assert_eq!((change.earlier_episodes.len(), site.episode().number), (1, 2));
    assert_eq!(change.journal.iter().map(|entry| entry.episode).collect::<Vec<_>>(), [1, 1, 2]);
}

#[test]
fn a_deadline_passes_before_a_later_input_even_if_both_are_applied_late() {
    let mut site = Site::new();
    site.send(Action::Trigger(Trigger { resolve_after: Some(HOUR), ..trigger() }));
    site.now += HOUR * 2;
    let acknowledged = site.by_satellite(Action::Acknowledge);
    site.now += HOUR;
    let change = site.step(&[acknowledged]);
    assert_eq!(change.journal[0].cause, JournalCause::Deadline(Deadline::ResolveTimeout));
    assert_eq!(
        change.journal.iter().map(|entry| entry.at).collect::<Vec<_>>(),
        [START + HOUR, START + HOUR * 2]
    );
    let clearing = site.episode().clearing.as_ref().expect("the fault is over");
    assert_eq!((clearing.at, &clearing.by), (START + HOUR, &ClearedBy::Timeout));
    assert_eq!(site.alarm.state(), State::Normal);
}

#[test]
fn each_trigger_renews_the_time_after_which_the_fault_counts_as_over() {
    let short = Action::Trigger(Trigger { resolve_after: Some(HOUR), ..trigger() });
    let mut site = Site::new();
    assert_eq!(site.send(short.clone()).next_at, Some(START + HOUR));
    site.now += MINUTE * 50;
    assert_eq!(site.send(short).next_at, Some(START + SECOND * 6600));
    assert!(site.wait(MINUTE * 50).journal.is_empty());
    assert_eq!(site.wait(MINUTE * 10).alarm.state(), State::RtnUnack);
}

#[test]
fn the_next_time_is_that_of_the_first_deadline() {
    let mut site = Site::new();
    assert_eq!(site.trigger().next_at, Some(START + HOUR * 24));
    let changed = site.wait(HOUR * 24);
    assert!(site.episode().is_stale);
    assert_eq!(changed.next_at, None, "the alarm stays until an input comes");
    site.now += HOUR;
    assert_eq!(site.send(Action::Resolve).next_at, Some(START + HOUR * 49));
    assert_eq!(site.act(Action::Acknowledge).next_at, None);
}
