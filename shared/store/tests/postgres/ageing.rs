//! Retention and expiry. A test cannot set the clock of the database, so it changes the times of the rows.

use std::time::Duration;

use messenger_core::{
    id::Position,
    notification::{AcceptOutcome, NewNotification, Status},
    port::{Feed, Maintenance, Notifications},
};
use messenger_testkit::fixtures;

use crate::database::TestStore;

const WEEK: Duration = Duration::from_hours(7 * 24);

#[tokio::test]
async fn rotation_drops_days_beyond_the_retention_and_moves_the_trimmed_position() {
    let database = TestStore::create().await;
    let (store, client) = (database.beside(), database.client().await);
    client
        .batch_execute(
            "create table events_20200102 partition of events for values from ('2020-01-02Z') to ('2020-01-03Z');
             insert into events (position, tenant_id, audience, kind, payload, created_at) values
                (1, 1, 't1:a:', 'new_message', '{}', '2020-01-02T10:00Z'),
                (2, 1, 't1:a:', 'new_message', '{}', '2020-01-03T10:00Z'),
                (3, 1, 't1:a:', 'new_message', '{}', now());
             update feed_head set position = 3;",
        )
        .await
        .expect("old events");
    store.rotate(WEEK).await.expect("a rotation");
    let span = store.span().await.expect("a span");
    assert_eq!((span.trimmed, span.head), (Position(2), Position(3)));
    let left: Vec<_> =
        store.next(Position(0), 10).await.expect("events").iter().map(|e| e.position).collect();
    assert_eq!(left, [Position(3)], "the old day with a partition and the one without are dropped");
    let dropped =
        client.query("select from pg_class where relname = 'events_20200102'", &[]).await.expect("an answer");
    assert!(dropped.is_empty());
    store.rotate(WEEK).await.expect("a second rotation");
    assert_eq!(store.span().await.expect("a span").trimmed, Position(2));
}

#[tokio::test]
async fn the_migration_creates_a_partition_for_each_day_of_the_next_week() {
    let database = TestStore::create().await;
    let client = database.client().await;
    let days = "select count(*) from pg_class where relname ~ '^events_\\d{8}$' and relkind = 'r'
        and to_date(right(relname, 8), 'YYYYMMDD') >= (now() at time zone 'utc')::date";
    let days: i64 = client.query_one(days, &[]).await.expect("an answer").get(0);
    assert_eq!(days, 8);
}

#[tokio::test]
async fn a_direct_message_that_nobody_came_for_expires() {
    let database = TestStore::create().await;
    let (store, client) = (database.beside(), database.client().await);
    let entry: NewNotification = fixtures::new_notification(fixtures::dm("nobody", "held"));
    let AcceptOutcome::New { notification, .. } = store.accept(entry).await.expect("accepted") else {
        panic!("it is new");
    };
    assert_eq!(store.expire().await.expect("expired ones are counted"), 0);
    client
        .execute("update notifications set expires_at = now() - interval '1 second'", &[])
        .await
        .expect("the time is changed");
    assert_eq!(store.expire().await.expect("expired ones are counted"), 1);
    let found = store.find(notification.tenant, notification.id).await.expect("found").expect("stored");
    assert_eq!(found.status, Status::Expired);
}

#[tokio::test]
async fn rotation_deletes_old_idempotency_keys_and_keeps_recent_ones() {
    let database = TestStore::create().await;
    let (store, client) = (database.beside(), database.client().await);
    client
        .batch_execute(
            "insert into idempotency_keys (tenant_id, token, key, fingerprint, notification_id, created_at) values
                (1, 't', 'old', 'f', 1, now() - interval '8 days'), (1, 't', 'recent', 'f', 1, now());",
        )
        .await
        .expect("keys");
    store.rotate(WEEK).await.expect("a rotation");
    let left = client.query("select key from idempotency_keys", &[]).await.expect("keys");
    assert_eq!(left.iter().map(|row| row.get::<_, &str>(0)).collect::<Vec<_>>(), ["recent"]);
}
