//! Periodic maintenance: expiry, retention, and retries after an outage of the homeserver.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    port::{Backlog, Feed as _, Maintenance},
};
use tokio_postgres::Row;

use crate::{
    PgStore,
    pool::{duration, seconds},
};

/// Reads the pending notifications and the messages of alarms by their partial indexes, and the other values by one
/// probe each.
const BACKLOG: &str = "with pending as materialized (
        select queue, created_at as since, not announced as held
        from notifications where status = 'pending' and (expires_at is null or expires_at > now())
        union all
        select episode.queue, episode.due,
            episode.target_user is not null and not exists (
                select from users
                where users.tenant_id = alarm.tenant_id and users.hub_user_id = episode.target_user)
        from alarm_episodes episode
        join alarms alarm on alarm.id = episode.alarm_id
        where episode.due is not null and episode.due <= now())
    select
    count(*) filter (where not held),
    count(*) filter (where held),
    count(distinct queue) filter (where not held),
    extract(epoch from now() - min(since) filter (where not held))::double precision,
    (select extract(epoch from now() - min(due))::double precision from outbox_queues
        where due <= now() and due < 'infinity' and lease_until <= now()),
    (select extract(epoch from now() - moved_at)::double precision from reconciliation),
    (select lease_until > now() from reconciliation)
    from pending";
const IS_BACKING_OFF: &str = "select
    exists (select from outbox_queues where attempts > 0 and due > now() and due < 'infinity')
    or exists (select from users where account_attempts > 0 and account_due > now())
    or exists (select from pending_leaves where attempts > 0 and due > now())
    or exists (select from external_access where attempts > 0 and revoke_due > now())
    or exists (select from closed_rooms where attempts > 0 and due > now())";
const RETRY_QUEUES: &str =
    "update outbox_queues set due = now() where attempts > 0 and due > now() and due < 'infinity'";
const RETRY_ACCOUNTS: &str =
    "update users set account_due = now() where account_attempts > 0 and account_due > now()";
const RETRY_LEAVES: &str = "update pending_leaves set due = now() where attempts > 0 and due > now()";
const RETRY_REVOCATIONS: &str =
    "update external_access set revoke_due = now() where attempts > 0 and revoke_due > now()";
const RETRY_CLOSURES: &str = "update closed_rooms set due = now() where attempts > 0 and due > now()";
const EXPIRE: &str = "update notifications set status = 'expired', answer_due = null
    where status = 'pending' and expires_at <= now()";
const ROTATE: &str = "select rotate_events($1 * interval '1 second', $2)";
/// Each statement deletes a limited number of rows, so that no lock is held for long.
const DELETE_OLD: [&str; 8] = [
    "delete from idempotency_keys where (tenant_id, token, key) in (
        select tenant_id, token, key from idempotency_keys where created_at < now() - interval '7 days' limit 5000)",
    "delete from event_keys where key in (
        select key from event_keys
        -- Reconciliation may bring the events since the last sync token again, also after a long outage.
        where seen_at < (select least(now() - interval '30 days', moved_at - interval '1 day') from reconciliation)
        limit 5000)",
    "delete from redacted_events where (event_id, matrix_room_id) in (
        select event_id, matrix_room_id from redacted_events
        -- Until then the redacted event may arrive for the first time.
        where redacted_at < (select least(now() - interval '30 days', moved_at - interval '1 day') from reconciliation)
        limit 5000)",
    // Their ids are in the order of their times.
    "delete from delivery_failures where failed_at < now() - interval '30 days'
        and id in (select id from delivery_failures order by id limit 5000)",
    "delete from alarm_journal where (alarm_id, revision, n) in (
        select alarm_id, revision, n from alarm_journal where at < now() - interval '400 days' order by at limit 5000)",
    "delete from bulk_acts where created_at < now() - interval '30 days'",
    "delete from poll_cursors where (tenant_id, hub_user_id, reader) in (
        select tenant_id, hub_user_id, reader from poll_cursors where read_at < now() - interval '30 days' limit 5000)",
    "delete from sse_connections where (tenant_id, process) in (
        select tenant_id, process from sse_connections where reported_at < now() - interval '60 seconds' limit 5000)",
];

#[async_trait]
impl Maintenance for PgStore {
    async fn check(&self) -> Result<()> {
        self.span().await.map(drop)
    }

    async fn wait_for_work(&self, patience: Duration) {
        self.listener.wait_for_work(patience).await;
    }

    async fn backlog(&self) -> Result<Backlog> {
        let row = self.database.query_one("reading the backlog", BACKLOG, &[]).await?;
        Ok(Backlog {
            queued: count(&row, 0),
            held: count(&row, 1),
            queues: count(&row, 2),
            oldest_pending: age(&row, 3),
            oldest_due: age(&row, 4),
            since_sync: age(&row, 5).unwrap_or_default(),
            is_sync_leased: row.get(6),
        })
    }

    async fn is_backing_off(&self) -> Result<bool> {
        Ok(self.database.query_one("looking for work that backs off", IS_BACKING_OFF, &[]).await?.get(0))
    }

    async fn retry_now(&self) -> Result<()> {
        self.database.execute("retrying room queues", RETRY_QUEUES, &[]).await?;
        self.database.execute("retrying accounts", RETRY_ACCOUNTS, &[]).await?;
        self.database.execute("retrying pending leaves", RETRY_LEAVES, &[]).await?;
        self.database.execute("retrying revocations", RETRY_REVOCATIONS, &[]).await?;
        self.database.execute("retrying closed rooms", RETRY_CLOSURES, &[]).await?;
        Ok(())
    }

    async fn expire(&self) -> Result<u64> {
        self.database.execute("expiring notifications", EXPIRE, &[]).await
    }

    async fn rotate(&self, retention: Duration) -> Result<()> {
        self.database
            .execute("rotating the event log", ROTATE, &[&seconds(retention), &self.keeps_unrelayed])
            .await?;
        for statement in DELETE_OLD {
            self.database.execute("deleting old rows", statement, &[]).await?;
        }
        Ok(())
    }
}

fn count(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or_default()
}

fn age(row: &Row, column: usize) -> Option<Duration> {
    row.get::<_, Option<f64>>(column).map(duration)
}
