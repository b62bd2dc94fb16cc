//! A call reads the same number of rows however many are stored. The rows here mislead the planner's
//! statistics: most notifications are sent, one room queue holds those of an outage, and most events are of
//! other tenants. PostgreSQL would scan whole tables for them.

use std::time::Duration;

use messenger_core::{
    event::Audience,
    id::{EventId, MatrixUserId, Position, TenantId},
    notification::{LogQuery, NewNotification},
    port::{Change, Feed, IngestedEvent, Messages, Notifications, Outbox, RoomQueue},
};
use messenger_testkit::fixtures::{self, TENANT, user};
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use crate::database::TestStore;

/// Rows of others: sent notifications, the room queue of an outage, and events.
const OTHERS: &str = "
    insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue, status)
    select 999, 'legacy', 'other', 'x', 'x', 'general', 'normal', 'queue ' || n % 10, 'sent'
    from generate_series(1, 30000) n;
    insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue)
    select 999, 'legacy', 'other', 'x', 'x', 'general', 'normal', 'waiting' from generate_series(1, 5000) n;
    insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue, status)
    select 1, 'legacy', 'other', 'x', 'x', 'general', 'normal', 'queue', 'sent' from generate_series(1, 5000) n;
    insert into events (position, tenant_id, audience, kind, payload)
    select n, 999, 't999:a:' || n % 3, 'notification', '{}' from generate_series(1, 30000) n;
    insert into events (position, tenant_id, audience, kind, payload, about)
    select n, 1, 't1:r:!1', 'new_message', '{}', '$' || n from generate_series(30001, 40000) n;
    update feed_head set position = 40000;
    analyze";
/// The number of rows read from tables whose names begin like this.
const READ: &str =
    "select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint from pg_stat_user_tables
    where exists (select from unnest($1::text[]) name where starts_with(relname, name))";
/// The tables that grow.
const TABLES: &[&str] = &["events", "notifications"];
const OTHER_CONNECTIONS: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
     and backend_type = 'client backend'";
const WAIT: Duration = Duration::from_secs(30);
/// Upper limit of the rows that all calls read.
const READ_MAX: i64 = 1000;

/// Waits until all other connections have ended, since only then their reads are counted, and returns the
/// number of rows that were read from these tables.
pub(crate) async fn rows_read(client: &Client, tables: &[&str]) -> i64 {
    let deadline = Instant::now() + Duration::from_mins(1);
    while client.query_one(OTHER_CONNECTIONS, &[]).await.expect("a count").get::<_, i64>(0) > 0 {
        assert!(Instant::now() < deadline, "a connection does not end");
        sleep(Duration::from_millis(20)).await;
    }
    client.query_one(READ, &[&tables]).await.expect("a sum").get(0)
}

#[tokio::test]
async fn a_call_reads_the_same_number_of_rows_however_many_are_stored() {
    let database = TestStore::create().await;
    let client = database.client().await;
    client.batch_execute(OTHERS).await.expect("rows of others");
    let before = rows_read(&client, TABLES).await;
    {
        let store = database.beside();
        for n in 0..3 {
            let entry = fixtures::new_notification(fixtures::draft(&format!("alarm {n}")));
            store
                .accept(NewNotification { options: fixtures::waiting(WAIT), ..entry })
                .await
                .expect("accepted");
        }
        let name = fixtures::draft("").room_key(TENANT).to_string();
        let queue = RoomQueue { name, version: 0, has_alarms: false };
        let pending = store.pending(&queue, WAIT, 8).await.expect("the queue is read");
        assert_eq!(pending.len(), 3);
        let log = async |tenant, app: Option<&str>| {
            let query = LogQuery { source_app: app.map(str::to_owned), limit: 20, offset: 0 };
            store.log(tenant, &query).await.expect("a log").len()
        };
        assert_eq!(log(TENANT, Some("nobody")).await, 0);
        assert_eq!(log(TenantId(7), None).await, 0);
        let redacted = IngestedEvent {
            event_id: EventId::new("$redaction"),
            tenant: TENANT,
            room: fixtures::room("!1"),
            sender: MatrixUserId::new("@anna:hub.local"),
            timestamp: "2026-01-01T06:00:00Z".parse().expect("a time"),
            change: Change::Redacted { of: EventId::new("$35000") },
            payload: None,
            alarm: None,
        };
        store.ingest(&[redacted]).await.expect("ingested");
        let anna = [Audience::User(TENANT, user("anna"))];
        assert_eq!(store.after(Position(0), &fixtures::all_of(&anna), 100).await.expect("nothing"), []);
    }
    let read = rows_read(&client, TABLES).await - before;
    assert!(
        (3..READ_MAX).contains(&read),
        "{read} rows were read: at least the three of the queue, and not everything"
    );
}
