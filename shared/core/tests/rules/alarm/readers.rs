//! Live events of alarms: their readers, and their number.

use messenger_core::{
    alarm::{Action, ChangeKind, IgnoredReason, LiveEvent, Outcome, State, Trigger, Warning},
    event::Audience,
    id::NotificationId,
    notification::{Draft, Priority},
};
use messenger_testkit::fixtures;

use super::{HOUR, MINUTE, SECOND, START, Site, trigger};

const EVERYBODY: Audience = Audience::Tenant(fixtures::TENANT);

fn to_anna(title: &str) -> Trigger {
    Trigger { draft: fixtures::dm("anna", title), ..trigger() }
}

fn alarm(episode: i64) -> LiveEvent {
    LiveEvent::Alarm { episode, audience: EVERYBODY }
}

#[test]
fn a_notification_is_published_once_per_episode_and_re_opening() {
    let mut site = Site::new();
    let announced = |notification| LiveEvent::Notification {
        episode: 1,
        audience: EVERYBODY,
        notification: NotificationId(notification),
    };
    assert_eq!(site.trigger().events, [announced(1), alarm(1)]);
    site.now += MINUTE;
    assert_eq!(site.trigger().events, [alarm(1)]);
    assert_eq!(site.act(Action::Resolve).events, [alarm(1)]);
    site.now += MINUTE;
    assert_eq!(site.trigger().events, [announced(4), alarm(1)]);
}

#[test]
fn counters_are_published_at_most_once_a_second_and_the_last_one_always() {
    let mut site = Site::new();
    site.trigger();
    for _ in 0..40 {
        let change = site.trigger();
        assert_eq!((change.events.len(), change.kind), (0, ChangeKind::Detail));
        assert_eq!(change.next_at, Some(START + SECOND));
    }
    let change = site.wait(SECOND);
    assert_eq!((&change.events[..], change.kind), (&[alarm(1)][..], ChangeKind::None));
    assert_eq!(change.next_at, Some(START + HOUR * 24));
    site.trigger();
    assert_eq!(site.act(Action::Acknowledge).events, [alarm(1)], "a change of state is published at once");
    assert!(!site.alarm.is_publish_due);
}

#[test]
fn only_the_recipient_reads_of_an_alarm_to_one_user() {
    let mut site = Site::new();
    let anna = Audience::User(fixtures::TENANT, fixtures::user("anna"));
    let change = site.send(Action::Trigger(to_anna("Ihr Auftrag")));
    for event in &change.events {
        let (LiveEvent::Notification { audience, .. } | LiveEvent::Alarm { audience, .. }) = event;
        assert_eq!(*audience, anna);
    }
}

#[test]
fn the_text_for_another_target_is_left_out() {
    let mut site = Site::in_state(State::ActiveUnack, &trigger());
    let before = site.episode().draft.clone();
    let private = to_anna("vertraulich");
    let private = Trigger { draft: Draft { priority: Priority::Urgent, ..private.draft }, ..private };
    let change = site.send(Action::Trigger(private.clone()));
    assert_eq!(change.outcomes, [Outcome::Applied { warning: Some(Warning::OtherTarget) }]);
    assert_eq!(site.episode().occurrences, 2);
    assert_eq!(site.episode().draft, Draft { priority: Priority::Urgent, ..before.clone() });
    let change = site.send(Action::Update(private.draft));
    assert_eq!(change.outcomes, [Outcome::Ignored(IgnoredReason::OtherTarget)]);
    assert_eq!(site.episode().draft.title, before.title);
}

#[test]
fn the_readers_of_an_earlier_episode_learn_of_its_end() {
    let mut site = Site::new();
    let first = site.by_satellite(Action::Trigger(trigger()));
    let cancelled = site.by_satellite(Action::Cancel);
    site.now += HOUR;
    let second = site.by_satellite(Action::Trigger(to_anna("Ihr Auftrag")));
    let events = site.step(&[first, cancelled, second]).events;
    assert!(events.contains(&alarm(1)));
    let anna = Audience::User(fixtures::TENANT, fixtures::user("anna"));
    assert_eq!(events.last(), Some(&LiveEvent::Alarm { episode: 2, audience: anna }));
}

#[test]
fn a_trigger_and_an_update_show_the_newest_text() {
    let mut site = Site::in_state(State::ActiveUnack, &trigger());
    site.send(Action::Trigger(Trigger { draft: fixtures::draft("Öldruck 0,4 bar"), ..trigger() }));
    assert_eq!(site.episode().draft.title, "Öldruck 0,4 bar");
    site.send(Action::Update(fixtures::draft("Öldruck 0,3 bar")));
    assert_eq!((site.episode().draft.title.as_str(), site.episode().occurrences), ("Öldruck 0,3 bar", 2));
}
