//! Failures of DynamoDB: no event is lost or duplicated, and readers get events late.

use std::time::Duration;

use messenger_core::{
    error::{Failure, System},
    event::{Audience, Kind, NewEvent, Payload},
    id::{Position, RoomId, TenantId},
    port::{Feed, FeedCopies},
};
use messenger_testkit::log::audiences;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    fault_proxy::{Fault, FaultProxy},
    fixture::{TestCopy, call},
    log::{events, line, new_line, read_all, read_audiences},
};

/// Copies events through a proxy while it has a fault, then without one, and checks that the copy is the log.
/// Returns the number of refused writes.
async fn copied_despite(fault: Fault) -> u64 {
    let copy = TestCopy::create().await;
    let proxy = FaultProxy::in_front_of(copy.settings.endpoint.as_deref().expect("an endpoint")).await;
    let relay = copy.start_relay_with(&copy.settings_at(proxy.url()));
    let feed = copy.feed();
    let first = events(40);
    let head = copy.append(&first).await;
    copy.copied(&feed, head).await;

    proxy.set(fault);
    let more = events(300);
    let head = timeout(Duration::from_secs(20), copy.append(&more)).await.expect("satellites notice nothing");
    sleep(Duration::from_secs(4)).await;
    let seen = read_all(&feed).await;
    let expected: Vec<_> = first.iter().chain(&more).map(new_line).collect();
    assert_eq!(seen.iter().map(line).collect::<Vec<_>>(), expected[..seen.len()], "{fault:?}");

    proxy.set(Fault::None);
    copy.copied(&feed, head).await;
    let seen: Vec<_> = read_all(&feed).await.iter().map(line).collect();
    assert_eq!(seen, expected, "{fault:?}");
    copy.settled().await;
    let throttled = relay.throttled();
    let lag = copy.store().lag().await.expect("a lag");
    assert_eq!((lag.events, lag.age), (0, Duration::ZERO));
    throttled
}

#[tokio::test(flavor = "multi_thread")]
async fn throttled_writes_are_repeated_and_counted() {
    assert!(copied_despite(Fault::ThrottledWrites).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_written_batches_are_completed() {
    assert!(copied_despite(Fault::HalfWritten).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_late_while_there_is_no_answer() {
    copied_despite(Fault::Silent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_doubles_nothing() {
    copied_despite(Fault::LostAnswer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_table_delays_events_only() {
    copied_despite(Fault::Slow(Duration::from_millis(700))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_late_while_the_table_is_away() {
    copied_despite(Fault::Away).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_gets_an_error_while_the_table_is_away_and_goes_on_afterwards() {
    let copy = TestCopy::create().await;
    let proxy = FaultProxy::in_front_of(copy.settings.endpoint.as_deref().expect("an endpoint")).await;
    let _relay = copy.start_relay();
    let (feed, reader) = (copy.feed(), copy.feed_with(&copy.settings_at(proxy.url())));
    let head = copy.append(&events(10)).await;
    copy.copied(&feed, head).await;
    for (fault, failure) in [(Fault::Away, Failure::Unreachable), (Fault::Silent, Failure::TimedOut)] {
        proxy.set(fault);
        let begun = Instant::now();
        let error = reader.span().await.expect_err("it is away");
        assert_eq!((error.failure(), error.code()), (Some(failure), "database_unavailable"), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(20), "the time is limited");
        let messenger_core::Error::Fault(fault) = error else { panic!("{error:?}") };
        assert_eq!(fault.system, System::FeedCopy);
    }
    proxy.set(Fault::None);
    assert_eq!(read_all(&reader).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_deleted_is_created_and_filled_again() {
    let copy = TestCopy::create().await;
    let _relay = copy.start_relay();
    let feed = copy.feed();
    let expected = events(700);
    let head = copy.append(&expected).await;
    copy.copied(&feed, head).await;
    call(&copy, "DeleteTable", &json!({ "TableName": copy.settings.table })).await;
    let more = events(20);
    let head = copy.append(&more).await;
    copy.copied(&feed, head).await;
    let seen: Vec<_> = read_all(&feed).await.iter().map(line).collect();
    assert_eq!(seen, expected.iter().chain(&more).map(new_line).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_serves_nobody_before_it_is_complete() {
    let copy = TestCopy::create().await;
    let feed = copy.feed();
    let head = copy.append(&events(30)).await;
    for _ in 0..2 {
        let error = feed.span().await.expect_err("it has no events yet");
        assert_eq!(error.code(), "database_unavailable", "{error:?}");
        // The table exists, and the relay cannot write its items.
        let proxy = FaultProxy::in_front_of(copy.settings.endpoint.as_deref().expect("an endpoint")).await;
        proxy.set(Fault::ThrottledWrites);
        let _relay = copy.start_relay_with(&copy.settings_at(proxy.url()));
        sleep(Duration::from_secs(2)).await;
        copy.release_lease().await;
    }
    let _relay = copy.start_relay();
    copy.copied(&feed, head).await;
    assert_eq!(read_all(&feed).await.len(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_not_copied_yet_is_known() {
    let copy = TestCopy::create().await;
    let relay = copy.start_relay();
    let feed = copy.feed();
    let head = copy.append(&events(3)).await;
    copy.copied(&feed, head).await;
    copy.settled().await;
    drop(relay);
    copy.append(&events(2)).await;
    for (position, is_assigned) in [(3, true), (5, true), (6, false)] {
        let known = feed.is_assigned(Position(position)).await.expect("an answer");
        assert_eq!(known, is_assigned, "{position}");
    }
    let lag = copy.store().lag().await.expect("a lag");
    assert_eq!(lag.events, 2);
    assert!(lag.age > Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_is_killed_is_replaced_when_its_lease_ends() {
    let copy = TestCopy::create().await;
    let first = copy.start_relay();
    let feed = copy.feed();
    let head = copy.append(&events(3)).await;
    copy.copied(&feed, head).await;
    drop(first);
    let _second = copy.start_relay();
    let head = copy.append(&events(3)).await;
    let begun = Instant::now();
    copy.copied(&feed, head).await;
    assert!(begun.elapsed() > Duration::from_secs(2), "the lease of the first one was ignored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_far_behind_reads_each_audience_alone() {
    let copy = TestCopy::create().await;
    let _relay = copy.start_relay();
    let feed = copy.feed();
    let all = events(1500);
    let head = copy.append(&all).await;
    copy.copied(&feed, head).await;
    for audience in [&audiences()[..1], &audiences()[..3], &audiences()[..]] {
        let expected: Vec<_> =
            all.iter().filter(|event| audience.contains(&event.audience)).map(new_line).collect();
        for limit in [7, 1000] {
            let seen = read_audiences(&feed, audience, limit).await;
            assert_eq!(seen.iter().map(line).collect::<Vec<_>>(), expected);
        }
    }
}

/// The largest notification of `POST /notifications/send` has 20 000 characters, each of which JSON writes in six
/// bytes; events of the homeserver have 64 KiB.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_event_fits_into_an_item() {
    const LIMITS: [(&str, usize); 5] =
        [("source_app", 100), ("event_type", 100), ("title", 500), ("body", 20_000), ("entity_type", 100)];
    let copy = TestCopy::create().await;
    let _relay = copy.start_relay();
    let feed = copy.feed();
    let mut payload =
        json!({ "priority": "urgent", "target_type": "entity_room", "room_id": "!".repeat(255) });
    for (name, characters) in LIMITS {
        payload[name] = "\u{1}".repeat(characters).into();
    }
    let payload = Payload::of(&payload).expect("an object");
    assert!(payload.as_str().len() > 120_000 && payload.as_str().len() < 300_000);
    let room = RoomId::new("!".repeat(255));
    let largest = NewEvent {
        audience: Audience::Room(TenantId(i64::MIN), room.clone()),
        kind: Kind::Notification,
        room: Some(room),
        payload,
        key: None,
    };
    // Thirty of them are larger than a page and than a batch.
    let head = copy.append(&vec![largest.clone(); 30]).await;
    copy.copied(&feed, head).await;
    let seen = read_all(&feed).await;
    assert_eq!(seen.len(), 30);
    assert!(seen.iter().all(|event| event.payload == largest.payload && event.room == largest.room));
}
