//! A search of notifications looks at a limited number of rows, whatever its filter.

use messenger_core::{
    admin::notifications::NotificationFilter,
    id::NotificationId,
    notification::{Priority, Status},
    port::AdminNotifications,
};
use messenger_testkit::fixtures::TENANT;
use tokio::time::{Duration, Instant, sleep};
use tokio_postgres::Client;

use crate::database::TestStore;

/// Notifications of one tenant and some of another one, most of them sent, in the order of their times.
const MANY: &str = "
    insert into notifications (tenant_id, token, source_app, event_type, title, body, target_type, target_user,
        priority, queue, status, created_at)
    select case when n % 20 = 0 then 2 else 1 end, 'legacy', 'app' || n % 4, 'x', 'Nummer ' || n,
        repeat('Text ', 20), case when n % 3 = 0 then 'dm' else 'general' end,
        case when n % 3 = 0 then 'user' || n % 100 end, case when n % 7 = 0 then 'urgent' else 'normal' end,
        'queue ' || n % 10, case when n % 1000 = 1 then 'failed' else 'sent' end,
        '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 second'
    from generate_series(1, 200000) n";
/// The number of rows of notifications that all ended connections have read.
const READ: &str = "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint
    from pg_stat_user_tables where relname = 'notifications'";
const OTHER_CONNECTIONS: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
     and backend_type = 'client backend'";
/// A search reads the rows of its bound, their index once more for its end, and a page.
const READ_MAX: i64 = 2 * 20_000 + 1000;

async fn rows_read(client: &Client) -> i64 {
    let deadline = Instant::now() + Duration::from_mins(1);
    while client.query_one(OTHER_CONNECTIONS, &[]).await.expect("a count").get::<_, i64>(0) > 0 {
        assert!(Instant::now() < deadline, "a connection does not end");
        sleep(Duration::from_millis(20)).await;
    }
    client.query_one(READ, &[]).await.expect("a sum").get(0)
}

fn filters() -> [(&'static str, NotificationFilter); 12] {
    let any = NotificationFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let time = |time: &str| Some(time.parse().expect("a time"));
    [
        ("none", any()),
        ("app", NotificationFilter { source_app: text("app3"), ..any() }),
        ("unknown app", NotificationFilter { source_app: text("nobody"), ..any() }),
        ("failed", NotificationFilter { status: Some(Status::Failed), ..any() }),
        ("pending", NotificationFilter { status: Some(Status::Pending), ..any() }),
        ("urgent", NotificationFilter { priority: Some(Priority::Urgent), ..any() }),
        ("target type", NotificationFilter { target_type: Some("service_room"), ..any() }),
        ("target", NotificationFilter { target: text("nobody"), ..any() }),
        ("text", NotificationFilter { text: text("nirgends"), ..any() }),
        ("text of an app", NotificationFilter { text: text("nirgends"), source_app: text("app1"), ..any() }),
        ("test", NotificationFilter { is_test: Some(true), ..any() }),
        (
            "time",
            NotificationFilter {
                from: time("2026-01-01T06:00:00Z"),
                to: time("2026-01-02T06:00:00Z"),
                text: text("nirgends"),
                ..any()
            },
        ),
    ]
}

#[tokio::test]
async fn no_filter_looks_at_more_rows_than_the_bound() {
    let database = TestStore::create().await;
    let client = database.client().await;
    client.batch_execute(MANY).await.expect("rows");
    for analysed in [false, true] {
        if analysed {
            client.batch_execute("vacuum analyze notifications").await.expect("analysed");
        }
        for (name, filter) in filters() {
            let before = rows_read(&client).await;
            {
                let store = database.beside();
                let page = store.page(TENANT, &filter, None, 50).await.expect("a page");
                assert!(page.notifications.len() <= 50, "{name}");
            }
            let read = rows_read(&client).await - before;
            assert!(read <= READ_MAX, "{name}, analysed {analysed}: {read} rows were read");
        }
    }
}

#[tokio::test]
async fn pages_and_counts_of_a_filter_find_each_notification_once() {
    let database = TestStore::create().await;
    database.client().await.batch_execute(MANY).await.expect("rows");
    let store = database.beside();
    let of_user = NotificationFilter { target: Some("user1".to_owned()), ..NotificationFilter::default() };
    let stored = "select count(*) from notifications where tenant_id = 1 and target_user = 'user1'";
    let stored: i64 = database.client().await.query_one(stored, &[]).await.expect("a count").get(0);
    let (mut before, mut ids) = (None, Vec::new());
    loop {
        let page = store.page(TENANT, &of_user, before, 7).await.expect("a page");
        ids.extend(page.notifications.iter().map(|record| record.notification.id));
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert!(ids.is_sorted_by(|newer, older| newer > older));
    assert_eq!(i64::try_from(ids.len()).expect("few"), stored);
    let (mut before, mut count): (Option<NotificationId>, i64) = (None, 0);
    loop {
        let step = store.count(TENANT, &of_user, before).await.expect("a count");
        count += step.matched;
        before = step.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(count, stored);
}
