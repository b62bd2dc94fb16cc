//! The engine of alarms: inputs are applied once, in any process, and acts end in one of the orders of the table.

use std::time::Duration;

use messenger_core::{
    Error,
    alarm::{
        AckRule, ActKind, Action, Alarm, AlarmAct, Expected, JournalCause, JournalQuery, NewAlarmInput,
        Outcome, State, Trigger,
    },
    event::Kind,
    id::{AlarmId, NotificationId},
    notification::{AcceptOutcome, Draft, NewNotification, SendResult, Status},
    user::Caller,
};
use messenger_testkit::{
    TestMessenger,
    fixtures::{self, TENANT, draft, new_notification},
    messenger,
};

use crate::{pass, run_until_idle};

const KEY: &str = "press-7";

fn trigger(draft: &Draft) -> NewAlarmInput {
    let ack = AckRule { is_required: true, expires_after: None };
    let action = Action::Trigger(Trigger { draft: draft.clone(), ack, resolve_after: None });
    NewAlarmInput { dedup_key: Some(KEY.to_owned()), action, occurred_at: None }
}

async fn report(messenger: &TestMessenger, action: Option<Action>) -> SendResult {
    let draft = draft("Öldruck");
    let input = trigger(&draft);
    let input = NewAlarmInput { action: action.unwrap_or_else(|| input.action.clone()), ..input };
    let sent = messenger.notifications().report(fixtures::satellite(), draft, input, fixtures::no_wait());
    sent.await.expect("accepted")
}

fn act(kind: ActKind) -> AlarmAct {
    AlarmAct { kind, expected: Expected::default(), comment: None }
}

async fn acts(messenger: &TestMessenger, caller: &Caller, kind: ActKind) -> bool {
    messenger.alarms().act(caller, AlarmId(1), act(kind)).await.expect("done").is_changed
}

/// Returns the kinds and outcomes of the inputs of the first alarm, oldest first.
async fn journal(messenger: &TestMessenger) -> Vec<(&'static str, Outcome)> {
    let query = JournalQuery { before: None, limit: 10_000 };
    let id = alarm(messenger).await.id;
    let page = messenger.ports.alarms.journal(TENANT, id, &query).await.expect("read").expect("an alarm");
    let entries = page.entries.into_iter().rev();
    let inputs = entries.filter_map(|entry| match entry.cause {
        JournalCause::Input { action, outcome, .. } => Some((action.as_str(), outcome)),
        JournalCause::Deadline(_) => None,
    });
    inputs.collect()
}

/// Returns the alarm of the first notification. Processes that load an alarm at once leave ids unused.
async fn alarm(messenger: &TestMessenger) -> Alarm {
    let found = messenger.ports.alarms.of_notification(TENANT, NotificationId(1)).await.expect("read");
    found.expect("an alarm").0
}

async fn occurrences(messenger: &TestMessenger) -> i64 {
    alarm(messenger).await.episode.expect("an episode").occurrences
}

#[tokio::test(start_paused = true)]
async fn concurrent_triggers_of_two_processes_are_each_counted_once() {
    let one = messenger().build();
    let other = one.another_process();
    one.memory.jitter(Duration::from_millis(20));
    let reports = (0..200).map(|n| report(if n % 2 == 0 { &one } else { &other }, None));
    let results = futures::future::join_all(reports).await;
    assert_eq!(occurrences(&one).await, 200);
    assert_eq!(journal(&one).await.len(), 200);
    let first: Vec<_> = results
        .iter()
        .filter(|result| result.alarm.as_ref().is_some_and(|alarm| !alarm.is_deduplicated))
        .collect();
    assert_eq!(first.len(), 1, "one of them began the episode");
    let announced = one.memory.events().into_iter().filter(|event| event.kind == Kind::Notification);
    assert_eq!(announced.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_and_a_resolution_at_once_end_in_one_of_their_two_orders() {
    let (mut acked_first, mut resolved_first) = (0, 0);
    for n in 0..1000 {
        let one = messenger().build();
        let other = one.another_process();
        let (anna, bert) = (one.caller("anna", TENANT).await, other.caller("bert", TENANT).await);
        report(&one, None).await;
        one.memory.jitter(Duration::from_millis(5));
        let by_operator = n % 2 == 0;
        let (acked, resolved) = tokio::join!(acts(&one, &anna, ActKind::Acknowledge), async {
            if by_operator {
                acts(&other, &bert, ActKind::Resolve).await
            } else {
                report(&other, Some(Action::Resolve)).await.notification.status != Status::Ignored
            }
        });
        assert!(resolved, "a resolution always takes effect");
        let alarm = one.ports.alarms.find(TENANT, AlarmId(1)).await.expect("read").expect("an alarm");
        assert_eq!((alarm.state(), alarm.episode_number()), (State::Normal, 1), "round {n}");
        let journal = journal(&one).await;
        let kinds: Vec<_> = journal.iter().map(|(kind, _)| *kind).collect();
        let is_applied = |n: usize| matches!(journal[n].1, Outcome::Applied { .. });
        match kinds[..] {
            ["trigger", "acknowledge", "resolve"] => {
                acked_first += 1;
                assert!(acked && is_applied(1) && is_applied(2), "round {n}: {journal:?}");
            }
            ["trigger", "resolve", "acknowledge"] => {
                resolved_first += 1;
                // The satellite's end leaves the alarm to be acknowledged, that of an operator does not.
                assert_eq!((acked, is_applied(2)), (!by_operator, !by_operator), "round {n}: {journal:?}");
            }
            _ => panic!("round {n}: {kinds:?}"),
        }
    }
    assert!(acked_first > 50 && resolved_first > 50, "{acked_first} and {resolved_first}: both orders occur");
}

#[tokio::test(start_paused = true)]
async fn an_input_whose_process_died_is_applied_by_a_worker() {
    let messenger = messenger().build();
    let draft = draft("Öldruck");
    let entry = NewNotification { alarm: Some(trigger(&draft)), ..new_notification(draft) };
    let AcceptOutcome::New { .. } = messenger.ports.notifications.accept(entry).await.expect("accepted")
    else {
        panic!("it is new");
    };
    assert_eq!(messenger.alarms().apply_due().await.expect("claimed"), 0, "it is left to its call");
    pass(&messenger, Duration::from_secs(2)).await;
    assert_eq!(messenger.alarms().apply_due().await.expect("claimed"), 1);
    assert_eq!(messenger.alarms().apply_due().await.expect("claimed"), 0);
    assert_eq!(occurrences(&messenger).await, 1);
    assert!(messenger.memory.events().iter().any(|event| event.kind == Kind::Alarm));
}

#[tokio::test(start_paused = true)]
async fn a_process_may_crash_at_every_step_of_a_report() {
    for step in 0..200 {
        let messenger = messenger().build();
        let done = messenger.crash_after(step, Box::pin(report(&messenger, None))).await.is_some();
        let survivor = messenger.another_process();
        pass(&survivor, Duration::from_secs(2)).await;
        run_until_idle(&survivor).await;
        let stored =
            survivor.ports.notifications.find(TENANT, NotificationId(1)).await.expect("read").is_some();
        assert_eq!(survivor.homeserver.all_bodies().len(), usize::from(stored), "step {step}");
        if stored {
            assert_eq!((occurrences(&survivor).await, journal(&survivor).await.len()), (1, 1), "step {step}");
        }
        if done {
            assert!(step > 5, "there were only {step} steps");
            return;
        }
    }
    panic!("the report never completes");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_fails_between_storing_and_applying_loses_nothing() {
    let messenger = messenger().build();
    let anna = messenger.caller("anna", TENANT).await;
    report(&messenger, None).await;
    messenger.memory.switch_off();
    let failed = messenger.alarms().act(&anna, AlarmId(1), act(ActKind::Acknowledge)).await;
    assert!(matches!(failed, Err(Error::Fault(_))), "{failed:?}");
    messenger.memory.switch_on();
    assert!(acts(&messenger, &anna, ActKind::Acknowledge).await);
}

#[tokio::test(start_paused = true)]
async fn an_act_does_not_reach_the_next_episode_of_another_reader() {
    let messenger = messenger().build();
    let anna = messenger.caller("anna", TENANT).await;
    messenger.caller("bert", TENANT).await;
    report(&messenger, None).await;
    report(&messenger, Some(Action::Cancel)).await;
    pass(&messenger, Duration::from_hours(1)).await;
    // The input that begins an episode for Bert waits when Anna acts.
    let draft = fixtures::dm("bert", "Ihr Auftrag");
    let entry = NewNotification { alarm: Some(trigger(&draft)), ..new_notification(draft) };
    messenger.ports.notifications.accept(entry).await.expect("accepted");
    let refused = messenger.alarms().act(&anna, AlarmId(1), act(ActKind::Acknowledge)).await;
    assert!(matches!(refused, Err(Error::NotFound("alarm"))), "{refused:?}");
    let alarm = messenger.ports.alarms.find(TENANT, AlarmId(1)).await.expect("read").expect("an alarm");
    assert_eq!((alarm.state(), alarm.episode_number()), (State::ActiveUnack, 2));
}
