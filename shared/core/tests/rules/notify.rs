//! Accepting a notification and delivering it within the caller's time.

use std::{collections::HashSet, time::Duration};

use messenger_core::{
    Error, Messenger,
    event::Kind,
    notification::{Draft, EntityId, Idempotency, LogQuery, SendOptions, Status, Target, reason},
};
use messenger_testkit::{TestMessenger, fixtures, messenger, sse::Reader};
use tokio::time::{Instant, sleep, timeout};

use crate::{NO_WAIT, WAIT, run_until_idle};

fn retried(wait: Duration, fingerprint: &str) -> SendOptions {
    SendOptions { wait, ..fixtures::retried("key", fingerprint) }
}

#[tokio::test(start_paused = true)]
async fn a_notification_is_sent_within_the_call() {
    let messenger = messenger().build();
    let answer = messenger.send(fixtures::draft("Lager leer"), WAIT).await;
    let sent = answer.notification;
    assert_eq!((sent.status, sent.reason), (Status::Sent, None));
    let room = sent.room.expect("the room is known");
    let messages = messenger.homeserver.messages(&room);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].body(), "[inventory] Lager leer");
    assert_eq!(Some(messages[0].event.clone()), sent.event);
    let stored = messenger.notifications().find(&fixtures::satellite(), sent.id).await.expect("stored");
    assert_eq!((stored.status, stored.event), (Status::Sent, sent.event));
    assert!(!answer.replayed);
}

#[tokio::test(start_paused = true)]
async fn a_notification_is_pending_at_once_during_an_outage() {
    let messenger = messenger().build();
    messenger.homeserver.switch_off();
    let start = Instant::now();
    let pending = messenger.send(fixtures::draft("x"), WAIT).await.notification;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(pending.status, Status::Pending);
    assert_eq!(pending.reason.as_deref(), Some(reason::HOMESERVER_UNAVAILABLE));
    assert_eq!((pending.room, pending.event, pending.attempts), (None, None, 1));
    assert!(pending.next_attempt_at.expect("it is tried again") > messenger.memory.now());
    assert_eq!(messenger.memory.events().len(), 1, "the event is published");
}

#[tokio::test(start_paused = true)]
async fn later_notifications_do_not_call_a_failing_homeserver() {
    let messenger = messenger().build();
    messenger.homeserver.switch_off();
    messenger.send(fixtures::draft("1"), WAIT).await;
    let calls = messenger.homeserver.calls();
    let start = Instant::now();
    let second = messenger.send(fixtures::draft("2"), WAIT).await.notification;
    assert_eq!((second.status, start.elapsed()), (Status::Pending, Duration::ZERO));
    assert_eq!(messenger.homeserver.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_slow_homeserver_never_delays_the_response_past_the_budget() {
    for wait in [0, 1, 500, 3_000, 10_000].map(Duration::from_millis) {
        let messenger = messenger().build();
        messenger.homeserver.delay_requests(Duration::from_mins(10));
        let start = Instant::now();
        let answer = messenger.send(fixtures::draft("x"), wait).await.notification;
        assert_eq!(answer.status, Status::Pending);
        let late = start.elapsed().saturating_sub(wait);
        assert!(late <= Duration::from_millis(2), "{wait:?} became {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_is_known_at_once_here_and_soon_in_other_processes() {
    let messenger = messenger().build();
    let (here, other) = (messenger.clone(), messenger.another_process());
    let status = async |messenger: &Messenger, id| {
        messenger.notifications().find(&fixtures::satellite(), id).await.expect("stored").status
    };
    let first = messenger.send(fixtures::draft("one"), WAIT).await.notification.id;
    assert_eq!((status(&here, first).await, status(&other, first).await), (Status::Sent, Status::Pending));
    sleep(Duration::from_millis(25)).await;
    assert_eq!(status(&other, first).await, Status::Sent);
    let second = messenger.send(fixtures::draft("two"), WAIT).await.notification.id;
    messenger.send(fixtures::draft("queued"), NO_WAIT).await;
    assert_eq!(
        status(&other, second).await,
        Status::Sent,
        "the queued notification is the first for the worker"
    );
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_succeeds_after_the_budget_is_not_repeated() {
    let messenger = messenger().build();
    messenger.homeserver.delay_responses(Duration::from_secs(2));
    let answer = messenger.send(fixtures::draft("x"), WAIT).await.notification;
    assert_eq!(answer.status, Status::Pending, "creating the room and sending took longer than the budget");
    messenger.homeserver.delay_responses(Duration::ZERO);
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies(), ["[inventory] x"]);
    let stored = messenger.notifications().find(&fixtures::satellite(), answer.id).await.expect("stored");
    assert_eq!(stored.status, Status::Sent);
}

#[tokio::test(start_paused = true)]
async fn the_live_event_does_not_wait_for_the_homeserver() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let caller = messenger.caller("anna", fixtures::TENANT).await;
    let mut stream = Reader::new(messenger.streams().subscribe(&caller, None).await.expect("a stream"));
    assert_eq!(stream.next().await.expect("connected").kind(), "connected");
    messenger.homeserver.delay_requests(Duration::from_mins(10));
    let sender = messenger.clone();
    let sending =
        tokio::spawn(async move { sender.send(fixtures::draft("x"), Duration::from_secs(10)).await });
    let event = timeout(Duration::from_secs(1), stream.next_without_keepalives())
        .await
        .expect("at once")
        .expect("an event");
    assert_eq!((event.kind().as_str(), &event.json()["title"]), ("notification", &"x".into()));
    assert!(!sending.is_finished());
    assert!(messenger.homeserver.rooms().is_empty());
}

async fn all_at_once(processes: &[TestMessenger], times: usize) {
    let tasks: tokio::task::JoinSet<_> = (0..times)
        .map(|n| {
            let process = processes[n % processes.len()].clone();
            async move { process.send(fixtures::machine(7, &n.to_string()), WAIT).await.notification }
        })
        .collect();
    let sent = tasks.join_all().await;
    assert!(sent.iter().all(|one| one.status == Status::Sent), "all within the budget");
    let homeserver = &processes[0].homeserver;
    assert_eq!(homeserver.rooms().len(), 1);
    let bodies: HashSet<_> = homeserver.all_bodies().into_iter().collect();
    assert_eq!((homeserver.all_bodies().len(), bodies.len()), (times, times));
    assert_eq!(homeserver.calls(), times as u64 + 1, "the room was created by one call");
}

#[tokio::test(start_paused = true)]
async fn two_hundred_notifications_to_a_new_entity_create_one_room() {
    all_at_once(&[messenger().build()], 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_notifications_over_four_processes_create_one_room() {
    let first = messenger().build();
    let processes = [first.another_process(), first.another_process(), first.another_process(), first];
    all_at_once(&processes, 200).await;
}

#[tokio::test(start_paused = true)]
async fn an_answered_notification_goes_first_within_the_budget() {
    let messenger = messenger().build();
    messenger.send(fixtures::draft("1"), NO_WAIT).await;
    messenger.send(fixtures::draft("2"), NO_WAIT).await;
    let _worker = messenger.run_worker();
    let third = messenger.send(fixtures::draft("3"), WAIT).await.notification;
    assert_eq!(third.status, Status::Sent, "the worker delivers all three while the caller waits");
    assert_eq!(messenger.homeserver.all_bodies(), ["[inventory] 1", "[inventory] 2", "[inventory] 3"]);
}

#[tokio::test(start_paused = true)]
async fn each_target_has_its_own_room() {
    let messenger = messenger().build();
    let entity = |entity_id| Draft {
        target: Target::Entity { entity_type: "machine".into(), entity_id },
        ..fixtures::draft("x")
    };
    let drafts = [
        fixtures::draft("x"),
        Draft { target: Target::Service, ..fixtures::draft("x") },
        entity(EntityId::Number(42)),
        entity(EntityId::Text("42".into())),
        entity(EntityId::Number(0)),
    ];
    let mut rooms = Vec::new();
    for draft in drafts {
        rooms.push(messenger.send(draft, WAIT).await.notification.room.expect("sent"));
    }
    assert_eq!(rooms[2], rooms[3], "42 and \"42\" name the same room");
    let names: Vec<_> =
        [0, 1, 2, 4].iter().map(|n: &usize| messenger.homeserver.creation_request(&rooms[*n]).name).collect();
    assert_eq!(names, ["Allgemein", "inventory", "machine 42", "machine 0"]);
    assert_eq!(messenger.homeserver.rooms().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_live_event_names_the_room_once_it_is_known() {
    let messenger = messenger().build();
    let first = messenger.send(fixtures::draft("x"), WAIT).await.notification;
    let second = messenger.another_process().send(fixtures::draft("y"), WAIT).await.notification;
    let events = messenger.memory.events();
    let fields: Vec<serde_json::Value> =
        events.iter().map(|event| serde_json::from_str(&event.json()).expect("JSON")).collect();
    assert!(fields[0]["room_id"].is_null());
    assert_eq!(fields[1]["room_id"].as_str(), first.room.as_ref().map(messenger_core::id::RoomId::as_str));
    assert_eq!(
        (events[1].kind, fields[1]["notification_id"].as_i64()),
        (Kind::Notification, Some(second.id.0))
    );
    assert_eq!((fields[1]["title"].as_str(), fields[1]["id"].as_i64()), (Some("y"), Some(2)));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_returns_the_first_notification() {
    let messenger = messenger().build();
    let call = |fingerprint| {
        messenger.notifications().notify(
            fixtures::satellite(),
            fixtures::draft("x"),
            retried(WAIT, fingerprint),
        )
    };
    let first = call("f").await.expect("accepted");
    let second = call("f").await.expect("accepted");
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!((second.notification.id, second.notification.status), (first.notification.id, Status::Sent));
    let mismatch = call("another body").await.expect_err("the key stands for another request");
    assert!(matches!(mismatch, Error::Invalid(_)));
    assert_eq!(mismatch.code(), "idempotency_mismatch");
    assert_eq!(messenger.homeserver.all_bodies().len(), 1);
    assert_eq!(messenger.memory.events().len(), 1);
}

/// Earlier versions stored a digest of the body's bytes as the fingerprint.
#[tokio::test(start_paused = true)]
async fn a_call_repeated_across_the_upgrade_returns_the_first_notification() {
    let messenger = messenger().build();
    let call = |fingerprint: &str| {
        messenger.notifications().notify(
            fixtures::satellite(),
            fixtures::draft("x"),
            retried(WAIT, fingerprint),
        )
    };
    let first = call(&"0f".repeat(32)).await.expect("accepted");
    let parsed = Idempotency::of("key".to_owned(), &fixtures::draft("x"), None).expect("a key").fingerprint;
    for again in [parsed, "0f".repeat(32)] {
        let again = call(&again).await.expect("accepted");
        assert_eq!((again.replayed, again.notification.id), (true, first.notification.id));
    }
    assert_eq!(messenger.memory.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_is_refused_until_the_first_was_answered() {
    let messenger = messenger().build();
    messenger.homeserver.delay_requests(Duration::from_mins(10));
    let first = messenger.clone();
    let first = tokio::spawn(async move {
        first
            .notifications()
            .notify(fixtures::satellite(), fixtures::draft("x"), retried(WAIT, "f"))
            .await
            .expect("accepted")
    });
    sleep(Duration::from_secs(1)).await;
    let again =
        || messenger.notifications().notify(fixtures::satellite(), fixtures::draft("x"), retried(WAIT, "f"));
    let Err(Error::Conflict { code, retry_after, .. }) = again().await else {
        panic!("the first call is not in flight")
    };
    assert_eq!(code, "idempotency_in_flight");
    assert!(retry_after.is_some_and(|after| after <= WAIT));
    assert_eq!(first.await.expect("answered").notification.status, Status::Pending);
    messenger.pass(WAIT);
    assert!(again().await.expect("answered").replayed);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_is_answered_at_once_when_the_first_was() {
    let messenger = messenger().build();
    messenger.homeserver.switch_off();
    for draft in [fixtures::draft("fails"), fixtures::draft("rests"), fixtures::dm("nobody", "is held")] {
        let options = SendOptions { wait: WAIT, ..fixtures::retried(&draft.title, "f") };
        let call = || messenger.notifications().notify(fixtures::satellite(), draft.clone(), options.clone());
        call().await.expect("accepted");
        assert!(call().await.expect("the first call was answered").replayed, "{}", draft.title);
    }
}

#[tokio::test(start_paused = true)]
async fn a_satellite_reads_its_notifications() {
    let messenger = messenger().build();
    for n in 0..3 {
        messenger.send(fixtures::draft(&n.to_string()), WAIT).await;
    }
    let query = LogQuery { source_app: Some("inventory".into()), limit: 2, offset: 0 };
    let log = messenger.notifications().log(&fixtures::satellite(), &query).await.expect("a log");
    assert_eq!(fixtures::titles(&log), ["2", "1"]);
    let unknown =
        messenger.notifications().find(&fixtures::satellite(), messenger_core::id::NotificationId(99)).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))));
}
