//! A database that is restored from a backup, or replaced by a server that lacks its last commits, never shows the
//! events of the lost log.

use std::time::Duration;

use messenger_core::{
    FeedCopySettings,
    id::Position,
    port::{Feed, FeedCopies, Maintenance},
};
use messenger_testkit::log::{audiences, event_for};
use tokio::time::{sleep, timeout};

use crate::{
    fixture::{PATIENCE, TestCopy, call},
    log::{events, line, new_line, read_all, read_audiences},
};

/// Brings the database to the state of a backup: at that time, the log and the copy had this position.
async fn restore(copy: &TestCopy, position: i64) {
    copy.client()
        .await
        .batch_execute(&format!(
            "delete from events where position > {position};
             update feed_head set position = {position};
             update feed_copy set announced = {position}, relayed = {position}, lease_until = now();"
        ))
        .await
        .expect("a state of before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_gets_a_copy_of_its_own() {
    let copy = TestCopy::create().await;
    let relay = copy.start_relay();
    let before = events(60);
    let head = copy.append(&before).await;
    copy.copied(&copy.feed(), head).await;
    let first = copy.store().copy().await.expect("an id");
    drop(relay);
    restore(&copy, 40).await;
    // More events than were lost, before a relay runs.
    let after: Vec<_> = (0..50).map(|n| event_for(audiences()[3].clone(), 1, n)).collect();
    let head = copy.append(&after).await;
    assert_eq!(head, Position(90));
    let _relay = copy.start_relay();
    let replaced = async {
        while copy.store().copy().await.expect("an id") == first {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, replaced).await.expect("another id");
    let feed = copy.feed();
    copy.copied(&feed, head).await;
    let seen: Vec<_> = read_all(&feed).await.iter().map(line).collect();
    assert_eq!(seen, before[..40].iter().chain(&after).map(new_line).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_beyond_the_head_that_the_database_lost_is_never_read() {
    let copy = TestCopy::create().await;
    let relay = copy.start_relay();
    let feed = copy.feed();
    let (one, other) = (audiences()[0].clone(), audiences()[3].clone());
    let head = copy.append(&[event_for(one.clone(), 0, 0)]).await;
    copy.copied(&feed, head).await;
    let lost: Vec<_> = (0..400).map(|n| event_for(one.clone(), 0, n)).collect();
    let head = copy.append(&lost).await;
    copy.copied(&feed, head).await;
    drop(relay);
    // As if the relay had ended before the head moved, and the server had ended before these commits were safe.
    move_head_back(&copy, 1).await;
    restore(&copy, 1).await;
    let kept: Vec<_> = (0..1400).map(|n| event_for(other.clone(), 1, n)).collect();
    let head = copy.append(&kept).await;
    let _relay = copy.start_relay();
    copy.copied(&feed, head).await;
    assert_eq!(read_audiences(&feed, &[one], 1000).await.len(), 1);
    assert_eq!(read_audiences(&feed, &[other], 1000).await.len(), 1400);
}

/// Replaces the head of the copy by one at this position.
async fn move_head_back(copy: &TestCopy, position: i64) {
    let id = copy.store().copy().await.expect("an answer").expect("an id");
    let item = serde_json::json!({
        "TableName": copy.settings.table,
        "Item": {
            "pk": { "S": format!("{id}#head") },
            "sk": { "N": "0" },
            "position": { "N": position.to_string() },
            "trimmed": { "N": "0" },
            "is_complete": { "BOOL": true },
        },
    });
    call(copy, "PutItem", &item).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_retention_makes_another_copy() {
    let copy = TestCopy::create().await;
    let relay = copy.start_relay();
    let feed = copy.feed();
    let head = copy.append(&events(5)).await;
    copy.copied(&feed, head).await;
    let first = copy.store().copy().await.expect("an id");
    drop(relay);
    for (days, is_same) in [(7, true), (3, true), (7, false)] {
        copy.release_lease().await;
        let settings =
            FeedCopySettings { retention: Duration::from_hours(24 * days), ..copy.settings.clone() };
        let _relay = copy.start_relay_with(&settings);
        let head = copy.append(&events(1)).await;
        copy.copied(&copy.feed(), head).await;
        assert_eq!(copy.store().copy().await.expect("an id") == first, is_same, "{days} days");
    }
    assert_eq!(read_all(&copy.feed()).await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_drops_is_dropped_from_the_copy_and_nothing_before_it_is_copied() {
    let copy = TestCopy::create().await;
    let client = copy.client().await;
    client
        .batch_execute(
            "insert into events (position, tenant_id, audience, kind, payload, created_at) values
                (1, 1, 't1:a:', 'new_message', '{}', '2020-01-03T10:00Z'),
                (2, 1, 't1:a:', 'new_message', '{}', now());
             update feed_head set position = 2;",
        )
        .await
        .expect("an old event");
    let week = Duration::from_hours(7 * 24);
    let worker = copy.beside().keeping_unrelayed();
    worker.rotate(week).await.expect("a rotation");
    assert_eq!(worker.span().await.expect("a span").trimmed, Position(0), "it is not copied yet");
    let _relay = copy.start_relay();
    let feed = copy.feed();
    copy.copied(&feed, Position(2)).await;
    copy.settled().await;
    worker.rotate(week).await.expect("a rotation");
    assert_eq!(worker.span().await.expect("a span").trimmed, Position(1));
    let followed = async {
        while feed.span().await.expect("a span").trimmed != Position(1) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, followed).await.expect("the copy follows");
    let left: Vec<_> =
        feed.next(Position(0), 10).await.expect("events").iter().map(|event| event.position).collect();
    assert_eq!(left, [Position(2)]);
}
