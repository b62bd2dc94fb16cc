//! Notifications are found by time without an index on it.

use crate::database::TestStore;

/// Stores three notifications for each minute of a day, with gaps in their ids.
const A_DAY: &str = "
    insert into notifications (id, tenant_id, token, source_app, event_type, title, target_type, priority, queue,
        status, created_at) overriding system value
    select n * 3 + n / 1000 * 100000, 1, 'legacy', 'other', 'x', 'x', 'general', 'normal', 'queue', 'sent',
           '2026-01-01T00:00:00Z'::timestamptz + n / 3 * interval '1 minute'
    from generate_series(0, 3 * 1440 - 1) n";
/// Compares the notifications from the id on with those from the time on.
const DIFFERENCES: &str = "
    select count(*) from generate_series('2025-12-31T23:59:30Z'::timestamptz, '2026-01-02T00:01:00Z',
                                         interval '30 seconds') as time,
           lateral (select notification_id_at(time) as id) as first
    where (select count(*) from notifications where id >= first.id)
        <> (select count(*) from notifications where created_at >= time)";

#[tokio::test]
async fn the_first_notification_of_a_time_is_found_by_its_id() {
    let database = TestStore::create().await;
    let client = database.client().await;
    let id: i64 = client.query_one("select notification_id_at(now())", &[]).await.expect("an id").get(0);
    assert_eq!(id, 0, "no notification is stored");
    client.execute(A_DAY, &[]).await.expect("stored");
    client.batch_execute("analyze").await.expect("analysed");
    let differences: i64 = client.query_one(DIFFERENCES, &[]).await.expect("a count").get(0);
    assert_eq!(differences, 0);
}
