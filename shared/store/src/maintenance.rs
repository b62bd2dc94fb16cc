//! What has to be done now and then.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{Result, port::Maintenance};

use crate::{PgStore, pool::seconds};

const RESTING: &str = "select
    exists (select from outbox_lanes where attempts > 0 and due > now() and due < 'infinity')
    or exists (select from users where account_attempts > 0 and account_due > now())
    or exists (select from departures where attempts > 0 and due > now())
    or exists (select from external_access where attempts > 0 and revoke_due > now())";
const WAKE_QUEUES: &str =
    "update outbox_lanes set due = now() where attempts > 0 and due > now() and due < 'infinity'";
const WAKE_USERS: &str =
    "update users set account_due = now() where account_attempts > 0 and account_due > now()";
const WAKE_DEPARTURES: &str = "update departures set due = now() where attempts > 0 and due > now()";
const WAKE_REVOCATIONS: &str =
    "update external_access set revoke_due = now() where attempts > 0 and revoke_due > now()";
const EXPIRE: &str = "update notifications set status = 'expired', answer_due = null
    where status = 'pending' and expires_at <= now()";
const ROTATE: &str = "select rotate_events($1 * interval '1 second')";
/// What is forgotten, a few at a time so that nobody waits for it.
const FORGET: [&str; 4] = [
    "delete from idempotency_keys where (tenant_id, token, key) in (
        select tenant_id, token, key from idempotency_keys where created_at < now() - interval '7 days' limit 5000)",
    "delete from event_keys where key in (
        select key from event_keys
        -- What was read last may be read again: after a long outage these keys are old and needed.
        where seen_at < (select least(now() - interval '30 days', moved_at - interval '1 day') from reconciliation)
        limit 5000)",
    "delete from redacted_events where (event_id, matrix_room_id) in (
        select event_id, matrix_room_id from redacted_events
        -- As long as the redacted event may arrive for the first time.
        where redacted_at < (select least(now() - interval '30 days', moved_at - interval '1 day') from reconciliation)
        limit 5000)",
    "delete from poll_cursors where (tenant_id, hub_user_id, reader) in (
        select tenant_id, hub_user_id, reader from poll_cursors where read_at < now() - interval '30 days' limit 5000)",
];

#[async_trait]
impl Maintenance for PgStore {
    async fn work(&self, patience: Duration) {
        self.listener.work(patience).await;
    }

    async fn is_backing_off(&self) -> Result<bool> {
        Ok(self.database.query_one("looking for what rests", RESTING, &[]).await?.get(0))
    }

    async fn retry_now(&self) -> Result<()> {
        self.database.execute("waking lanes", WAKE_QUEUES, &[]).await?;
        self.database.execute("waking accounts", WAKE_USERS, &[]).await?;
        self.database.execute("waking departures", WAKE_DEPARTURES, &[]).await?;
        self.database.execute("waking revocations", WAKE_REVOCATIONS, &[]).await?;
        Ok(())
    }

    async fn expire(&self) -> Result<u64> {
        self.database.execute("expiring notifications", EXPIRE, &[]).await
    }

    async fn rotate(&self, retention: Duration) -> Result<()> {
        self.database.execute("rotating the event log", ROTATE, &[&seconds(retention)]).await?;
        for forget in FORGET {
            self.database.execute("forgetting what is old", forget, &[]).await?;
        }
        Ok(())
    }
}
