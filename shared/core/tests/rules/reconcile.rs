//! Reading the homeserver's own stream, and what is done when it does not know our position any more.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    event::{Audience, Kind},
    id::{MatrixUserId, Position, RoomId},
    port::Clock as _,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;
use tokio::time::sleep;

use crate::{WAIT, ready_caller};

const WORKER: &str = "worker";
/// Longer than the ids of events are remembered at the least.
const LONG_AGO: Duration = Duration::from_hours(40 * 24);

async fn reconcile(messenger: &TestMessenger) {
    assert!(messenger.reconcile().run(WORKER, Duration::ZERO).await.expect("it is read"));
}

/// A hub whose worker has read everything, and the general room with anna in it.
async fn up_to_date() -> (TestMessenger, RoomId, MatrixUserId) {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room =
        messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms").remove(0);
    reconcile(&messenger).await;
    let anna = messenger.ids().of(&anna.user);
    (messenger, room, anna)
}

/// The homeserver is another one by now, with other positions.
async fn lose_position(messenger: &TestMessenger) {
    messenger
        .ports
        .reconciliation
        .advance(WORKER, Some("of another server"), Duration::from_mins(1))
        .await
        .expect("stored");
}

/// What was told of a room, in the order of the log.
async fn told(messenger: &TestMessenger, room: &RoomId) -> Vec<String> {
    let audience = [Audience::Room(fixtures::TENANT, room.clone())];
    let events = messenger.ports.feed.after(Position(0), &audience, 10_000).await.expect("events");
    let messages = events.iter().filter(|event| event.kind == Kind::NewMessage);
    let body = |json: String| serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["body"].clone();
    messages.map(|event| body(event.json()).as_str().expect("a body").to_owned()).collect()
}

fn say(messenger: &TestMessenger, room: &RoomId, sender: &MatrixUserId, numbers: std::ops::Range<usize>) {
    for n in numbers {
        messenger.homeserver.send_text(room, sender, &n.to_string());
    }
}

fn numbers(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn a_position_that_is_unknown_is_given_up_and_nothing_is_lost_or_doubled() {
    for is_forgiving in [false, true] {
        let (messenger, room, anna) = up_to_date().await;
        if is_forgiving {
            messenger.homeserver.accept_unknown_tokens();
        }
        // More than a page of what is known, and more than a page of what is not.
        say(&messenger, &room, &anna, 0..150);
        reconcile(&messenger).await;
        lose_position(&messenger).await;
        say(&messenger, &room, &anna, 150..400);
        reconcile(&messenger).await;
        assert_eq!(told(&messenger, &room).await, numbers(0..400), "forgiving: {is_forgiving}");
        assert_eq!(messenger.memory.summary(&room).count, 400);
        // From here it goes on as ever.
        say(&messenger, &room, &anna, 400..410);
        reconcile(&messenger).await;
        assert_eq!(told(&messenger, &room).await, numbers(0..410));
    }
}

#[tokio::test]
async fn a_limited_timeline_is_filled_though_many_events_do_not_concern_us() {
    for last in ["m.room.message", "org.example.sensor"] {
        let (messenger, room, anna) = up_to_date().await;
        for n in 0..350 {
            say(&messenger, &room, &anna, n..n + 1);
            messenger.homeserver.send_event(&room, &anna, "org.example.sensor", json!({ "celsius": n }));
        }
        // More than a timeline.
        for _ in 0..20 {
            messenger.homeserver.send_event(&room, &anna, last, json!({ "celsius": 0 }));
        }
        reconcile(&messenger).await;
        assert_eq!(told(&messenger, &room).await, numbers(0..350), "the last events are {last}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_grows_while_it_is_read_does_not_hold_the_worker() {
    let (messenger, room, anna) = up_to_date().await;
    say(&messenger, &room, &anna, 0..250);
    messenger.homeserver.delay_requests(Duration::from_millis(10));
    let talker = {
        let (messenger, room, anna) = (messenger.clone(), room.clone(), anna.clone());
        tokio::spawn(async move {
            for n in 250..2_000 {
                say(&messenger, &room, &anna, n..n + 1);
                sleep(Duration::from_millis(2)).await;
            }
        })
    };
    let calls = messenger.homeserver.calls();
    reconcile(&messenger).await;
    assert!(messenger.homeserver.calls() - calls < 10, "{}", messenger.homeserver.calls() - calls);
    assert!(!talker.is_finished(), "the room still grows");
    talker.await.expect("all is said");
    messenger.homeserver.delay_requests(Duration::ZERO);
    reconcile(&messenger).await;
    assert_eq!(told(&messenger, &room).await, numbers(0..2_000), "nothing is lost or doubled");
}

#[tokio::test]
async fn what_is_older_than_the_memory_of_ids_is_not_told_again() {
    for is_forgiving in [false, true] {
        let (messenger, room, anna) = up_to_date().await;
        if is_forgiving {
            messenger.homeserver.accept_unknown_tokens();
        }
        // So few that all of it is in one answer; another room has more.
        say(&messenger, &room, &anna, 0..2);
        for n in 0..9 {
            messenger.send(fixtures::machine(1, &n.to_string()), WAIT).await;
        }
        reconcile(&messenger).await;
        messenger.pass(LONG_AGO);
        // Its worker was there all the time, and so the old ids are forgotten.
        reconcile(&messenger).await;
        messenger.ports.maintenance.rotate(messenger.settings().event_retention).await.expect("rotated");
        lose_position(&messenger).await;
        say(&messenger, &room, &anna, 2..3);
        reconcile(&messenger).await;
        assert_eq!(
            told(&messenger, &room).await,
            numbers(2..3),
            "what was told long ago is dropped from the log"
        );
        assert_eq!(messenger.memory.summary(&room).count, 3, "forgiving: {is_forgiving}");
    }
}

/// Somebody says a number, by a clock of their own.
async fn say_at(messenger: &TestMessenger, room: &RoomId, sender: &MatrixUserId, number: usize, at: &str) {
    let content = serde_json::json!({ "msgtype": "m.text", "body": number.to_string() });
    let (timeline, at) = (&messenger.ports.timeline, at.parse().expect("a time"));
    timeline.send_as(room, sender, &format!("clock {number}"), at, &content).await.expect("said");
}

#[tokio::test]
async fn wrong_clocks_neither_hide_a_message_nor_tell_an_old_one_again() {
    let (before, after) = ("1970-01-01T00:00:00Z", "9999-12-30T22:00:00Z");
    let (messenger, room, anna) = up_to_date().await;
    say(&messenger, &room, &anna, 0..2);
    say_at(&messenger, &room, &anna, 2, after).await;
    say(&messenger, &room, &anna, 3..5);
    reconcile(&messenger).await;
    messenger.pass(LONG_AGO);
    reconcile(&messenger).await;
    messenger.ports.maintenance.rotate(messenger.settings().event_retention).await.expect("rotated");
    lose_position(&messenger).await;
    say_at(&messenger, &room, &anna, 5, after).await;
    say(&messenger, &room, &anna, 6..120);
    for (n, at) in [(120, before), (121, after)] {
        say_at(&messenger, &room, &anna, n, at).await;
    }
    say(&messenger, &room, &anna, 122..250);
    say_at(&messenger, &room, &anna, 250, before).await;
    reconcile(&messenger).await;
    assert_eq!(told(&messenger, &room).await, numbers(5..251));
    assert_eq!(messenger.memory.summary(&room).count, 251, "each once");
}

#[tokio::test]
async fn after_a_long_outage_everything_since_is_read_back() {
    let (messenger, room, anna) = up_to_date().await;
    lose_position(&messenger).await;
    say(&messenger, &room, &anna, 0..3);
    messenger.pass(LONG_AGO);
    say(&messenger, &room, &anna, 3..6);
    messenger.ports.maintenance.rotate(messenger.settings().event_retention).await.expect("rotated");
    assert!(
        messenger.ports.reconciliation.moved_at().await.expect("a time")
            < messenger.clock.now() - LONG_AGO / 2
    );
    reconcile(&messenger).await;
    assert_eq!(told(&messenger, &room).await, numbers(0..6));
}

#[tokio::test]
async fn an_outage_or_any_other_refusal_gives_up_no_position() {
    let (messenger, room, anna) = up_to_date().await;
    let position = messenger.ports.reconciliation.position().await.expect("read");
    say(&messenger, &room, &anna, 0..10);
    for failure in [
        Failure::Unreachable,
        Failure::TimedOut,
        Failure::Broken,
        Failure::Rejected,
        Failure::Limited(Duration::from_secs(1)),
    ] {
        // In the stream itself, and where it is read on in a room.
        for call in [1, 2] {
            messenger.homeserver.fail_call(call, failure);
            let failed = messenger.reconcile().run(WORKER, Duration::ZERO).await.expect_err("it is told");
            assert_eq!(failed.failure(), Some(failure));
            assert_eq!(messenger.ports.reconciliation.position().await.expect("read"), position);
        }
    }
    reconcile(&messenger).await;
    assert_eq!(told(&messenger, &room).await, numbers(0..10));
}

#[tokio::test]
async fn a_worker_may_crash_at_every_step_of_starting_anew() {
    for step in 0..1000 {
        let (messenger, room, anna) = up_to_date().await;
        say(&messenger, &room, &anna, 0..5);
        lose_position(&messenger).await;
        say(&messenger, &room, &anna, 5..120);
        let done =
            messenger.crash_after(step, messenger.reconcile().run(WORKER, Duration::ZERO)).await.is_some();
        let survivor = messenger.another_process();
        survivor.pass(Duration::from_mins(1));
        assert!(survivor.reconcile().run("another", Duration::ZERO).await.expect("it is read"));
        assert_eq!(told(&survivor, &room).await, numbers(0..120), "step {step}");
        if done {
            assert!(step > 8, "there were only {step} steps");
            return;
        }
    }
    panic!("it never comes to an end");
}

#[tokio::test]
async fn a_bot_that_was_put_out_comes_back_and_has_missed_nothing() {
    let (messenger, room, anna) = up_to_date().await;
    say(&messenger, &room, &anna, 0..5);
    messenger.homeserver.remove_bot(&room, &anna, false);
    say(&messenger, &room, &anna, 5..120);
    // Not before the homeserver is back; the first answer to be back is lost.
    for call in [2, 3] {
        messenger.homeserver.fail_call(call, Failure::Unreachable);
        messenger.reconcile().run(WORKER, Duration::ZERO).await.expect_err("it is told");
    }
    messenger.homeserver.lose_response(2);
    messenger.reconcile(WORKER, Duration::ZERO).await.expect_err("it is told");
    reconcile(&messenger).await;
    assert_eq!(told(&messenger, &room).await, numbers(0..120));
    say(&messenger, &room, &anna, 120..125);
    reconcile(&messenger).await;
    assert_eq!(told(&messenger, &room).await, numbers(0..125));
}

#[tokio::test]
async fn a_bot_that_cannot_come_back_keeps_nobody_from_other_rooms() {
    for is_banned in [true, false] {
        let (messenger, room, anna) = up_to_date().await;
        messenger.send(fixtures::machine(1, "x"), WAIT).await;
        let other = messenger.homeserver.rooms().into_iter().find(|other| *other != room).expect("a room");
        messenger.homeserver.remove_bot(&room, &anna, is_banned);
        if !is_banned {
            // Or the homeserver fails over this room, however often it is tried.
            for call in (2..400).step_by(2) {
                messenger.homeserver.fail_call(call, Failure::Broken);
            }
        }
        say(&messenger, &room, &anna, 0..3);
        say(&messenger, &other, &anna, 3..5);
        let mut tries = 1;
        while messenger.reconcile().run(WORKER, Duration::ZERO).await.is_err() {
            tries += 1;
            assert!(tries <= 30, "it comes to an end");
        }
        assert_eq!(tries, if is_banned { 1 } else { 30 });
        assert_eq!(told(&messenger, &other).await, numbers(3..5));
        assert_eq!(told(&messenger, &room).await, numbers(0..0));
    }
}

#[tokio::test]
async fn the_first_reading_leaves_out_nothing_that_was_said_since_the_installation() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room =
        messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms").remove(0);
    let anna = messenger.ids().of(&anna.user);
    // Push brought none of them.
    say(&messenger, &room, &anna, 0..250);
    messenger.reconcile().begin(WORKER).await.expect("it begins");
    assert_eq!(told(&messenger, &room).await, numbers(0..250));
    // Again is no change, by whatever worker.
    let position = messenger.ports.reconciliation.position().await.expect("read");
    assert!(position.is_some());
    messenger.another_process().reconcile().begin("another").await.expect("it has begun");
    assert_eq!(messenger.ports.reconciliation.position().await.expect("read"), position);
}

#[tokio::test]
async fn another_worker_reads_on_within_seconds_of_a_kill() {
    let (messenger, room, anna) = up_to_date().await;
    say(&messenger, &room, &anna, 0..5);
    assert!(messenger.crash_after(3, messenger.reconcile().run(WORKER, Duration::ZERO)).await.is_none());
    let survivor = messenger.another_process();
    assert!(
        !survivor.reconcile().run("another", Duration::ZERO).await.expect("asked"),
        "the lease is not over"
    );
    survivor.pass(Duration::from_secs(4));
    assert!(survivor.reconcile().run("another", Duration::ZERO).await.expect("it is read"));
    assert_eq!(told(&survivor, &room).await, numbers(0..5));
}

#[tokio::test]
async fn a_worker_that_ends_gives_the_lease_back() {
    let (messenger, room, anna) = up_to_date().await;
    say(&messenger, &room, &anna, 0..5);
    messenger.reconcile().stop(WORKER).await.expect("given back");
    let other = messenger.another_process();
    assert!(other.reconcile().run("another", Duration::ZERO).await.expect("it is read"));
    // It takes no lease from another.
    messenger.reconcile().stop(WORKER).await.expect("nothing to give back");
    assert!(!messenger.reconcile().run(WORKER, Duration::ZERO).await.expect("asked"));
    assert_eq!(told(&other, &room).await, numbers(0..5));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_waits_for_the_homeserver_keeps_its_lease() {
    let (messenger, _, _) = up_to_date().await;
    let other = messenger.another_process();
    messenger.homeserver.delay_requests(Duration::from_secs(20));
    let reading = tokio::spawn(async move { messenger.reconcile(WORKER, Duration::ZERO).await });
    for _ in 0..10 {
        sleep(Duration::from_millis(1900)).await;
        other.memory.advance(Duration::from_millis(1900));
        let other_claim = other.ports.reconciliation.claim("another", Duration::from_secs(3)).await;
        assert_eq!(other_claim.expect("asked"), None);
    }
    assert!(reading.await.expect("it ends").expect("it is read"));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_was_stopped_for_long_moves_no_position_and_doubles_nothing() {
    let (messenger, room, anna) = up_to_date().await;
    say(&messenger, &room, &anna, 0..2);
    let survivor = messenger.another_process();
    messenger.homeserver.delay_responses(Duration::from_millis(900));
    let late = tokio::spawn(async move { messenger.reconcile(WORKER, Duration::ZERO).await });
    sleep(Duration::from_millis(100)).await;
    // The world goes on; the clock of the stopped process does not.
    survivor.homeserver.delay_responses(Duration::ZERO);
    survivor.memory.advance(Duration::from_mins(1));
    say(&survivor, &room, &anna, 2..120);
    assert!(survivor.reconcile().run("another", Duration::ZERO).await.expect("it is read"));
    let position = survivor.ports.reconciliation.position().await.expect("read");
    assert!(!late.await.expect("it ends").expect("it is told"), "the lease is another's");
    assert_eq!(survivor.ports.reconciliation.position().await.expect("read"), position);
    assert_eq!(told(&survivor, &room).await, numbers(0..120));
}
