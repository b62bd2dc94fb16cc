//! Accepting a notification and delivering it within the caller's time.

use std::{collections::HashSet, time::Duration};

use messenger_core::{
    Error, Hub,
    event::Kind,
    notification::{Draft, EntityId, Idempotency, LogQuery, Status, Target, Terms, reason},
};
use messenger_testkit::{TestHub, given, hub, sse::Reader};
use tokio::time::{Instant, sleep, timeout};

use crate::{NO_WAIT, WAIT, settle};

fn retried(wait: Duration, fingerprint: &str) -> Terms {
    Terms { wait, ..given::retried("key", fingerprint) }
}

#[tokio::test(start_paused = true)]
async fn with_the_homeserver_up_it_is_sent_within_the_call() {
    let hub = hub().build();
    let answer = hub.send(given::draft("Lager leer"), WAIT).await;
    let sent = answer.notification;
    assert_eq!((sent.status, sent.reason), (Status::Sent, None));
    let room = sent.room.expect("the room is known");
    let messages = hub.homeserver.messages(&room);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].body(), "[inventory] Lager leer");
    assert_eq!(Some(messages[0].event.clone()), sent.event);
    let stored = hub.notification(&given::satellite(), sent.id).await.expect("stored");
    assert_eq!((stored.status, stored.event), (Status::Sent, sent.event));
    assert!(!answer.replayed);
}

#[tokio::test(start_paused = true)]
async fn with_the_homeserver_down_it_is_pending_at_once() {
    let hub = hub().build();
    hub.homeserver.switch_off();
    let start = Instant::now();
    let pending = hub.send(given::draft("x"), WAIT).await.notification;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(pending.status, Status::Pending);
    assert_eq!(pending.reason.as_deref(), Some(reason::HOMESERVER_UNAVAILABLE));
    assert_eq!((pending.room, pending.event, pending.attempts), (None, None, 1));
    assert!(pending.next_attempt_at.expect("it is tried again") > hub.memory.now());
    assert_eq!(hub.memory.events().len(), 1, "connected users see it");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_next_ones_do_not_ask_the_homeserver() {
    let hub = hub().build();
    hub.homeserver.switch_off();
    hub.send(given::draft("1"), WAIT).await;
    let calls = hub.homeserver.calls();
    let start = Instant::now();
    let second = hub.send(given::draft("2"), WAIT).await.notification;
    assert_eq!((second.status, start.elapsed()), (Status::Pending, Duration::ZERO));
    assert_eq!(hub.homeserver.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_slow_homeserver_never_delays_the_answer_past_the_budget() {
    for wait in [0, 1, 500, 3_000, 10_000].map(Duration::from_millis) {
        let hub = hub().build();
        hub.homeserver.act_late(Duration::from_mins(10));
        let start = Instant::now();
        let answer = hub.send(given::draft("x"), wait).await.notification;
        assert_eq!(answer.status, Status::Pending);
        let late = start.elapsed().saturating_sub(wait);
        assert!(late <= Duration::from_millis(2), "{wait:?} became {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_is_known_here_at_once_and_elsewhere_soon() {
    let hub = hub().build();
    let (here, elsewhere) = (hub.clone(), hub.another_process());
    let status =
        async |hub: &Hub, id| hub.notification(&given::satellite(), id).await.expect("stored").status;
    let first = hub.send(given::draft("one"), WAIT).await.notification.id;
    assert_eq!(
        (status(&here, first).await, status(&elsewhere, first).await),
        (Status::Sent, Status::Pending)
    );
    sleep(Duration::from_millis(25)).await;
    assert_eq!(status(&elsewhere, first).await, Status::Sent);
    let second = hub.send(given::draft("two"), WAIT).await.notification.id;
    hub.send(given::draft("queued"), NO_WAIT).await;
    assert_eq!(
        status(&elsewhere, second).await,
        Status::Sent,
        "the worker finds nothing before what is queued"
    );
}

#[tokio::test(start_paused = true)]
async fn what_the_homeserver_took_after_the_budget_is_not_sent_again() {
    let hub = hub().build();
    hub.homeserver.answer_late(Duration::from_secs(2));
    let answer = hub.send(given::draft("x"), WAIT).await.notification;
    assert_eq!(answer.status, Status::Pending, "creating the room and sending took longer than the budget");
    hub.homeserver.answer_late(Duration::ZERO);
    settle(&hub).await;
    assert_eq!(hub.homeserver.all_bodies(), ["[inventory] x"]);
    let stored = hub.notification(&given::satellite(), answer.id).await.expect("stored");
    assert_eq!(stored.status, Status::Sent);
}

#[tokio::test(start_paused = true)]
async fn the_live_event_does_not_wait_for_matrix() {
    let hub = hub().build();
    let _tail = hub.run_tail();
    let caller = hub.caller("anna", given::TENANT).await;
    let mut stream = Reader::new(hub.follow(&caller, None).await.expect("a stream"));
    assert_eq!(stream.next().await.expect("connected").kind(), "connected");
    hub.homeserver.act_late(Duration::from_mins(10));
    let sender = hub.clone();
    let sending = tokio::spawn(async move { sender.send(given::draft("x"), Duration::from_secs(10)).await });
    let event =
        timeout(Duration::from_secs(1), stream.next_real()).await.expect("at once").expect("an event");
    assert_eq!((event.kind().as_str(), &event.json()["title"]), ("notification", &"x".into()));
    assert!(!sending.is_finished());
    assert!(hub.homeserver.rooms().is_empty());
}

async fn all_at_once(processes: &[TestHub], times: usize) {
    let tasks: tokio::task::JoinSet<_> = (0..times)
        .map(|n| {
            let process = processes[n % processes.len()].clone();
            async move { process.send(given::machine(7, &n.to_string()), WAIT).await.notification }
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
async fn two_hundred_notifications_to_a_new_entity_make_one_room() {
    all_at_once(&[hub().build()], 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_notifications_over_four_processes_make_one_room() {
    let first = hub().build();
    let processes = [first.another_process(), first.another_process(), first.another_process(), first];
    all_at_once(&processes, 200).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_earlier_goes_first_within_the_budget() {
    let hub = hub().build();
    hub.send(given::draft("1"), NO_WAIT).await;
    hub.send(given::draft("2"), NO_WAIT).await;
    let _worker = hub.run_worker();
    let third = hub.send(given::draft("3"), WAIT).await.notification;
    assert_eq!(third.status, Status::Sent, "the worker delivers all three while the caller waits");
    assert_eq!(hub.homeserver.all_bodies(), ["[inventory] 1", "[inventory] 2", "[inventory] 3"]);
}

#[tokio::test(start_paused = true)]
async fn each_target_has_its_room() {
    let hub = hub().build();
    let entity = |entity_id| Draft {
        target: Target::Entity { entity_type: "machine".into(), entity_id },
        ..given::draft("x")
    };
    let drafts = [
        given::draft("x"),
        Draft { target: Target::Service, ..given::draft("x") },
        entity(EntityId::Number(42)),
        entity(EntityId::Text("42".into())),
        entity(EntityId::Number(0)),
    ];
    let mut rooms = Vec::new();
    for draft in drafts {
        rooms.push(hub.send(draft, WAIT).await.notification.room.expect("sent"));
    }
    assert_eq!(rooms[2], rooms[3], "42 and \"42\" name the same room");
    let names: Vec<_> = [0, 1, 2, 4].iter().map(|n: &usize| hub.homeserver.asked(&rooms[*n]).name).collect();
    assert_eq!(names, ["Allgemein", "inventory", "machine 42", "machine 0"]);
    assert_eq!(hub.homeserver.rooms().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn the_live_event_names_the_room_once_it_is_known() {
    let hub = hub().build();
    let first = hub.send(given::draft("x"), WAIT).await.notification;
    let second = hub.another_process().send(given::draft("y"), WAIT).await.notification;
    let events = hub.memory.events();
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
async fn a_repeated_call_is_the_same_call() {
    let hub = hub().build();
    let call = |fingerprint| hub.notify(given::satellite(), given::draft("x"), retried(WAIT, fingerprint));
    let first = call("f").await.expect("accepted");
    let second = call("f").await.expect("accepted");
    assert_eq!((first.replayed, second.replayed), (false, true));
    assert_eq!((second.notification.id, second.notification.status), (first.notification.id, Status::Sent));
    let mismatch = call("another body").await.expect_err("the key stands for another request");
    assert!(matches!(mismatch, Error::Invalid(_)));
    assert_eq!(mismatch.code(), "idempotency_mismatch");
    assert_eq!(hub.homeserver.all_bodies().len(), 1);
    assert_eq!(hub.memory.events().len(), 1);
}

/// Before, the digest of the body's bytes was stored.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_repeated_across_the_upgrade_is_the_same_call() {
    let hub = hub().build();
    let call =
        |fingerprint: &str| hub.notify(given::satellite(), given::draft("x"), retried(WAIT, fingerprint));
    let first = call(&"0f".repeat(32)).await.expect("accepted");
    let parsed = Idempotency::of("key".to_owned(), &given::draft("x")).expect("a key").fingerprint;
    for again in [parsed, "0f".repeat(32)] {
        let again = call(&again).await.expect("accepted");
        assert_eq!((again.replayed, again.notification.id), (true, first.notification.id));
    }
    assert_eq!(hub.memory.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_waits_for_the_first_to_be_answered() {
    let hub = hub().build();
    hub.homeserver.act_late(Duration::from_mins(10));
    let first = hub.clone();
    let first = tokio::spawn(async move {
        first.notify(given::satellite(), given::draft("x"), retried(WAIT, "f")).await.expect("accepted")
    });
    sleep(Duration::from_secs(1)).await;
    let again = || hub.notify(given::satellite(), given::draft("x"), retried(WAIT, "f"));
    let Err(Error::Conflict { code, retry_after, .. }) = again().await else {
        panic!("the first is in flight")
    };
    assert_eq!(code, "idempotency_in_flight");
    assert!(retry_after.is_some_and(|after| after <= WAIT));
    assert_eq!(first.await.expect("answered").notification.status, Status::Pending);
    hub.pass(WAIT);
    assert!(again().await.expect("answered").replayed);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_call_is_answered_at_once_when_the_first_was() {
    let hub = hub().build();
    hub.homeserver.switch_off();
    for draft in [given::draft("fails"), given::draft("rests"), given::dm("nobody", "is held")] {
        let terms = Terms { wait: WAIT, ..given::retried(&draft.title, "f") };
        let call = || hub.notify(given::satellite(), draft.clone(), terms.clone());
        call().await.expect("accepted");
        assert!(call().await.expect("the first call was answered").replayed, "{}", draft.title);
    }
}

#[tokio::test(start_paused = true)]
async fn a_satellite_reads_what_it_sent() {
    let hub = hub().build();
    for n in 0..3 {
        hub.send(given::draft(&n.to_string()), WAIT).await;
    }
    let query = LogQuery { source_app: Some("inventory".into()), limit: 2, offset: 0 };
    let log = hub.notification_log(&given::satellite(), &query).await.expect("a log");
    assert_eq!(given::titles(&log), ["2", "1"]);
    let unknown = hub.notification(&given::satellite(), messenger_core::id::NotificationId(99)).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))));
}
