//! Reconciliation by `/sync`, and the resync after an unknown sync token.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    event::{Audience, Kind},
    id::{MatrixUserId, Position, RoomId},
    lease::Lease,
    port::Clock as _,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;
use tokio::time::sleep;

use crate::{WAIT, ready_caller};

const WORKER: &str = "worker";
/// Longer than event ids are remembered at the least.
const LONG_AGO: Duration = Duration::from_hours(40 * 24);

async fn reconcile(messenger: &TestMessenger) {
    assert!(messenger.reconcile().run(WORKER, Duration::ZERO).await.expect("reconciled").is_held());
}

/// Returns a messenger whose worker has read all events, and the general room with Anna in it.
async fn up_to_date() -> (TestMessenger, RoomId, MatrixUserId) {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room =
        messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms").remove(0);
    reconcile(&messenger).await;
    let anna = messenger.ids().of(&anna.user);
    (messenger, room, anna)
}

/// Stores a sync token that the homeserver does not know.
async fn lose_sync_token(messenger: &TestMessenger) {
    messenger
        .ports
        .reconciliation
        .advance(WORKER, "of another server", Duration::from_mins(1))
        .await
        .expect("stored");
}

/// Returns the published messages of a room, in order.
async fn published(messenger: &TestMessenger, room: &RoomId) -> Vec<String> {
    let audience = [Audience::Room(fixtures::TENANT, room.clone())];
    let events =
        messenger.ports.feed.after(Position(0), &fixtures::all_of(&audience), 10_000).await.expect("events");
    let messages = events.iter().filter(|event| event.kind == Kind::NewMessage);
    let body = |json: String| serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["body"].clone();
    messages.map(|event| body(event.json()).as_str().expect("a body").to_owned()).collect()
}

fn send_numbers(
    messenger: &TestMessenger,
    room: &RoomId,
    sender: &MatrixUserId,
    numbers: std::ops::Range<usize>,
) {
    for n in numbers {
        messenger.homeserver.send_text(room, sender, &n.to_string());
    }
}

fn numbers(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn an_unknown_sync_token_is_discarded_and_no_message_is_lost_or_duplicated() {
    for accepts_unknown_tokens in [false, true] {
        let (messenger, room, anna) = up_to_date().await;
        if accepts_unknown_tokens {
            messenger.homeserver.accept_unknown_tokens();
        }
        // More than a page of known events, and more than a page of unknown ones.
        send_numbers(&messenger, &room, &anna, 0..150);
        reconcile(&messenger).await;
        lose_sync_token(&messenger).await;
        send_numbers(&messenger, &room, &anna, 150..400);
        reconcile(&messenger).await;
        assert_eq!(
            published(&messenger, &room).await,
            numbers(0..400),
            "accepts unknown tokens: {accepts_unknown_tokens}"
        );
        assert_eq!(messenger.memory.summary(&room).count, 400);
        // Reconciliation then continues as usual.
        send_numbers(&messenger, &room, &anna, 400..410);
        reconcile(&messenger).await;
        assert_eq!(published(&messenger, &room).await, numbers(0..410));
    }
}

#[tokio::test]
async fn a_limited_timeline_is_backfilled_across_irrelevant_events() {
    for last in ["m.room.message", "org.example.sensor"] {
        let (messenger, room, anna) = up_to_date().await;
        for n in 0..350 {
            send_numbers(&messenger, &room, &anna, n..n + 1);
            messenger.homeserver.send_event(&room, &anna, "org.example.sensor", json!({ "celsius": n }));
        }
        // More than one timeline has.
        for _ in 0..20 {
            messenger.homeserver.send_event(&room, &anna, last, json!({ "celsius": 0 }));
        }
        reconcile(&messenger).await;
        assert_eq!(published(&messenger, &room).await, numbers(0..350), "the last events are {last}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_grows_while_it_is_read_does_not_block_the_worker() {
    let (messenger, room, anna) = up_to_date().await;
    send_numbers(&messenger, &room, &anna, 0..250);
    messenger.homeserver.delay_requests(Duration::from_millis(10));
    let sender = {
        let (messenger, room, anna) = (messenger.clone(), room.clone(), anna.clone());
        tokio::spawn(async move {
            for n in 250..2_000 {
                send_numbers(&messenger, &room, &anna, n..n + 1);
                sleep(Duration::from_millis(2)).await;
            }
        })
    };
    let calls = messenger.homeserver.calls();
    reconcile(&messenger).await;
    assert!(messenger.homeserver.calls() - calls < 10, "{}", messenger.homeserver.calls() - calls);
    assert!(!sender.is_finished(), "the room still grows");
    sender.await.expect("all messages are sent");
    messenger.homeserver.delay_requests(Duration::ZERO);
    reconcile(&messenger).await;
    assert_eq!(published(&messenger, &room).await, numbers(0..2_000), "no message is lost or duplicated");
}

#[tokio::test]
async fn messages_older_than_the_remembered_ids_are_not_published_again() {
    for accepts_unknown_tokens in [false, true] {
        let (messenger, room, anna) = up_to_date().await;
        if accepts_unknown_tokens {
            messenger.homeserver.accept_unknown_tokens();
        }
        // Few enough for one response; another room has more.
        send_numbers(&messenger, &room, &anna, 0..2);
        for n in 0..9 {
            messenger.send(fixtures::machine(1, &n.to_string()), WAIT).await;
        }
        reconcile(&messenger).await;
        messenger.pass(LONG_AGO);
        // The worker ran all the time, so the old ids are forgotten.
        reconcile(&messenger).await;
        messenger.ports.maintenance.rotate(messenger.settings().event_retention).await.expect("rotated");
        lose_sync_token(&messenger).await;
        send_numbers(&messenger, &room, &anna, 2..3);
        reconcile(&messenger).await;
        assert_eq!(published(&messenger, &room).await, numbers(2..3), "old events are dropped from the log");
        assert_eq!(
            messenger.memory.summary(&room).count,
            3,
            "accepts unknown tokens: {accepts_unknown_tokens}"
        );
    }
}

/// Sends a number with a timestamp.
async fn send_number_at(
    messenger: &TestMessenger,
    room: &RoomId,
    sender: &MatrixUserId,
    number: usize,
    at: &str,
) {
    let content = serde_json::json!({ "msgtype": "m.text", "body": number.to_string() });
    let (timeline, at) = (&messenger.ports.timeline, at.parse().expect("a time"));
    timeline.send_as(room, sender, &format!("clock {number}"), at, &content).await.expect("sent");
}

#[tokio::test]
async fn wrong_timestamps_neither_hide_a_message_nor_repeat_an_old_one() {
    let (before, after) = ("1970-01-01T00:00:00Z", "9999-12-30T22:00:00Z");
    let (messenger, room, anna) = up_to_date().await;
    send_numbers(&messenger, &room, &anna, 0..2);
    send_number_at(&messenger, &room, &anna, 2, after).await;
    send_numbers(&messenger, &room, &anna, 3..5);
    reconcile(&messenger).await;
    messenger.pass(LONG_AGO);
    reconcile(&messenger).await;
    messenger.ports.maintenance.rotate(messenger.settings().event_retention).await.expect("rotated");
    lose_sync_token(&messenger).await;
    send_number_at(&messenger, &room, &anna, 5, after).await;
    send_numbers(&messenger, &room, &anna, 6..120);
    for (n, at) in [(120, before), (121, after)] {
        send_number_at(&messenger, &room, &anna, n, at).await;
    }
    send_numbers(&messenger, &room, &anna, 122..250);
    send_number_at(&messenger, &room, &anna, 250, before).await;
    reconcile(&messenger).await;
    assert_eq!(published(&messenger, &room).await, numbers(5..251));
    assert_eq!(messenger.memory.summary(&room).count, 251, "each once");
}

#[tokio::test]
async fn all_messages_since_the_start_of_a_long_outage_are_backfilled() {
    let (messenger, room, anna) = up_to_date().await;
    lose_sync_token(&messenger).await;
    send_numbers(&messenger, &room, &anna, 0..3);
    messenger.pass(LONG_AGO);
    send_numbers(&messenger, &room, &anna, 3..6);
    messenger.ports.maintenance.rotate(messenger.settings().event_retention).await.expect("rotated");
    assert!(
        messenger.ports.reconciliation.moved_at().await.expect("a time")
            < messenger.clock.now() - LONG_AGO / 2
    );
    reconcile(&messenger).await;
    assert_eq!(published(&messenger, &room).await, numbers(0..6));
}

#[tokio::test]
async fn an_outage_or_rejection_discards_no_sync_token() {
    let (messenger, room, anna) = up_to_date().await;
    let position = messenger.ports.reconciliation.sync_token().await.expect("read");
    send_numbers(&messenger, &room, &anna, 0..10);
    for failure in [
        Failure::Unreachable,
        Failure::TimedOut,
        Failure::Broken,
        Failure::Rejected,
        Failure::Limited(Duration::from_secs(1)),
    ] {
        // In `/sync` itself, and in the backfill of a room.
        for call in [1, 2] {
            messenger.homeserver.fail_call(call, failure);
            let failed = messenger.reconcile().run(WORKER, Duration::ZERO).await.expect_err("a failure");
            assert_eq!(failed.failure(), Some(failure));
            assert_eq!(messenger.ports.reconciliation.sync_token().await.expect("read"), position);
        }
    }
    reconcile(&messenger).await;
    assert_eq!(published(&messenger, &room).await, numbers(0..10));
}

#[tokio::test]
async fn a_worker_may_crash_at_every_step_of_a_resync() {
    for step in 0..1000 {
        let (messenger, room, anna) = up_to_date().await;
        send_numbers(&messenger, &room, &anna, 0..5);
        lose_sync_token(&messenger).await;
        send_numbers(&messenger, &room, &anna, 5..120);
        let done =
            messenger.crash_after(step, messenger.reconcile().run(WORKER, Duration::ZERO)).await.is_some();
        let survivor = messenger.another_process();
        survivor.pass(Duration::from_mins(1));
        assert!(survivor.reconcile().run("another", Duration::ZERO).await.expect("reconciled").is_held());
        assert_eq!(published(&survivor, &room).await, numbers(0..120), "step {step}");
        if done {
            assert!(step > 8, "there were only {step} steps");
            return;
        }
    }
    panic!("the resync never completes");
}

#[tokio::test]
async fn a_kicked_bot_rejoins_and_misses_no_message() {
    let (messenger, room, anna) = up_to_date().await;
    send_numbers(&messenger, &room, &anna, 0..5);
    messenger.homeserver.remove_bot(&room, &anna, false);
    send_numbers(&messenger, &room, &anna, 5..120);
    // Fails during an outage; then the response to the rejoin is lost.
    for call in [2, 3] {
        messenger.homeserver.fail_call(call, Failure::Unreachable);
        messenger.reconcile().run(WORKER, Duration::ZERO).await.expect_err("a failure");
    }
    messenger.homeserver.lose_response(2);
    messenger.reconcile().run(WORKER, Duration::ZERO).await.expect_err("a failure");
    reconcile(&messenger).await;
    assert_eq!(published(&messenger, &room).await, numbers(0..120));
    send_numbers(&messenger, &room, &anna, 120..125);
    reconcile(&messenger).await;
    assert_eq!(published(&messenger, &room).await, numbers(0..125));
}

#[tokio::test]
async fn a_bot_that_cannot_rejoin_delays_no_other_room() {
    for is_banned in [true, false] {
        let (messenger, room, anna) = up_to_date().await;
        messenger.send(fixtures::machine(1, "x"), WAIT).await;
        let other = messenger.homeserver.rooms().into_iter().find(|other| *other != room).expect("a room");
        messenger.homeserver.remove_bot(&room, &anna, is_banned);
        if !is_banned {
            // The homeserver fails every attempt to rejoin.
            for call in (2..400).step_by(2) {
                messenger.homeserver.fail_call(call, Failure::Broken);
            }
        }
        send_numbers(&messenger, &room, &anna, 0..3);
        send_numbers(&messenger, &other, &anna, 3..5);
        let mut tries = 1;
        while messenger.reconcile().run(WORKER, Duration::ZERO).await.is_err() {
            tries += 1;
            assert!(tries <= 30, "the attempts are limited");
        }
        assert_eq!(tries, if is_banned { 1 } else { 30 });
        assert_eq!(published(&messenger, &other).await, numbers(3..5));
        assert_eq!(published(&messenger, &room).await, numbers(0..0));
    }
}

#[tokio::test]
async fn the_first_sync_includes_all_messages_since_the_installation() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room =
        messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms").remove(0);
    let anna = messenger.ids().of(&anna.user);
    // None of them was pushed.
    send_numbers(&messenger, &room, &anna, 0..250);
    messenger.reconcile().begin(WORKER).await.expect("it begins");
    assert_eq!(published(&messenger, &room).await, numbers(0..250));
    // A second call by any worker changes nothing.
    let position = messenger.ports.reconciliation.sync_token().await.expect("read");
    assert!(position.is_some());
    messenger.another_process().reconcile().begin("another").await.expect("it has begun");
    assert_eq!(messenger.ports.reconciliation.sync_token().await.expect("read"), position);
}

#[tokio::test]
async fn another_worker_continues_within_seconds_of_a_kill() {
    let (messenger, room, anna) = up_to_date().await;
    send_numbers(&messenger, &room, &anna, 0..5);
    assert!(messenger.crash_after(3, messenger.reconcile().run(WORKER, Duration::ZERO)).await.is_none());
    let survivor = messenger.another_process();
    assert!(
        survivor.reconcile().run("another", Duration::ZERO).await.expect("asked").is_lost(),
        "the lease is not over"
    );
    survivor.pass(Duration::from_secs(4));
    assert!(survivor.reconcile().run("another", Duration::ZERO).await.expect("reconciled").is_held());
    assert_eq!(published(&survivor, &room).await, numbers(0..5));
}

#[tokio::test]
async fn a_worker_that_stops_releases_the_lease() {
    let (messenger, room, anna) = up_to_date().await;
    send_numbers(&messenger, &room, &anna, 0..5);
    messenger.reconcile().stop(WORKER).await.expect("released");
    let other = messenger.another_process();
    assert!(other.reconcile().run("another", Duration::ZERO).await.expect("reconciled").is_held());
    // It does not release another worker's lease.
    messenger.reconcile().stop(WORKER).await.expect("nothing to release");
    assert!(messenger.reconcile().run(WORKER, Duration::ZERO).await.expect("asked").is_lost());
    assert_eq!(published(&other, &room).await, numbers(0..5));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_the_homeserver_keeps_its_lease() {
    let (messenger, _, _) = up_to_date().await;
    let other = messenger.another_process();
    messenger.homeserver.delay_requests(Duration::from_secs(20));
    let reading = tokio::spawn(async move { messenger.reconcile().run(WORKER, Duration::ZERO).await });
    for _ in 0..10 {
        sleep(Duration::from_millis(1900)).await;
        other.memory.advance(Duration::from_millis(1900));
        let other_claim = other.ports.reconciliation.claim("another", Duration::from_secs(3)).await;
        assert_eq!(other_claim.expect("asked"), Lease::Lost);
    }
    assert!(reading.await.expect("it ends").expect("reconciled").is_held());
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_paused_moves_no_sync_token_and_duplicates_no_message() {
    let (messenger, room, anna) = up_to_date().await;
    send_numbers(&messenger, &room, &anna, 0..2);
    let survivor = messenger.another_process();
    messenger.homeserver.delay_responses(Duration::from_millis(900));
    let late = tokio::spawn(async move { messenger.reconcile().run(WORKER, Duration::ZERO).await });
    sleep(Duration::from_millis(100)).await;
    // Time passes for the store, but not for the clock of the paused process.
    survivor.homeserver.delay_responses(Duration::ZERO);
    survivor.memory.advance(Duration::from_mins(1));
    send_numbers(&survivor, &room, &anna, 2..120);
    assert!(survivor.reconcile().run("another", Duration::ZERO).await.expect("reconciled").is_held());
    let position = survivor.ports.reconciliation.sync_token().await.expect("read");
    assert!(late.await.expect("it ends").expect("a result").is_lost(), "another worker has the lease");
    assert_eq!(survivor.ports.reconciliation.sync_token().await.expect("read"), position);
    assert_eq!(published(&survivor, &room).await, numbers(0..120));
}
