//! The outbox: room queues, and the pending notifications in them.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    event::Payload,
    id::NotificationId,
    notification::Notification,
    port::{Delivered, Outbox, QueueRelease, RoomQueue},
};

use crate::{
    PgStore,
    notifications::row::{columns, notification},
    pool::seconds,
};

const CLAIM: &str = "update outbox_queues set lease_until = now() + $1 * interval '1 second'
    where name = (
        select name from outbox_queues where due <= now() and due < 'infinity' and lease_until <= now()
        order by due limit 1 for update skip locked)
    returning name, version, has_alarms";
const PENDING: &str = concat!(
    "with renewed as (
        update outbox_queues set lease_until = now() + $2 * interval '1 second' where name = $1)
    select ",
    columns!(),
    " from notifications
    where queue between $1 and $1 and status = 'pending' and (expires_at is null or expires_at > now())
    order by queue, id limit $3"
);
const ANNOUNCE: &str = "select announce_notification($1, $2, $3, $4)";
const SENT: &str = "select store_sent($1, $2, $3, $4)";
const FAILED: &str = "with failed as (
        update notifications set status = 'failed', reason = $2, answer_due = null
        where id = $1 and status = 'pending'
        returning id, attempts)
    insert into delivery_failures (notification_id, attempt, reason, detail)
    select id, attempts + 1, $2, $3 from failed";
const POSTPONE: &str = "with postponed as (
        update notifications
        set attempts = attempts + 1, reason = $3, answer_due = null,
            next_attempt_at = now() + $2 * interval '1 second'
        where id = $1 and status = 'pending'
        returning id, queue, attempts, next_attempt_at
    ), recorded as (
        insert into delivery_failures (notification_id, attempt, reason, detail, next_attempt_at)
        select id, attempts, $3, $4, next_attempt_at from postponed)
    update outbox_queues queue
    set due = now() + $2 * interval '1 second', attempts = queue.attempts + 1, lease_until = '-infinity'
    from postponed where queue.name = postponed.queue";
/// `$3` is the backoff in seconds; with null the room queue is due with its next entry, or, if `$4`, with the next
/// message of an alarm.
const RELEASE: &str = "update outbox_queues
    set lease_until = '-infinity',
        attempts = case when $3::double precision is null then 0 else attempts end,
        due = case when version <> $2 then now()
                   else coalesce(
                       now() + $3 * interval '1 second',
                       case when $4 and has_alarms
                            then (select min(episode.due) from alarm_episodes episode
                                  where episode.queue between $1 and $1 and episode.due is not null) end,
                       'infinity') end
    where name = $1";
/// Most characters that are stored of a failed attempt's error.
const DETAIL_MAX: usize = 500;
const RETRY: &str =
    "update outbox_queues set attempts = 0, due = now(), version = version + 1 where name = $1";

#[async_trait]
impl Outbox for PgStore {
    async fn claim(&self, lease: Duration) -> Result<Option<RoomQueue>> {
        let row = self.database.query_opt("claiming a room queue", CLAIM, &[&seconds(lease)]).await?;
        Ok(row.map(|row| RoomQueue { name: row.get(0), version: row.get(1), has_alarms: row.get(2) }))
    }

    async fn pending(&self, queue: &RoomQueue, lease: Duration, limit: i64) -> Result<Vec<Notification>> {
        let rows = self
            .database
            .query("reading a room queue", PENDING, &[&queue.name, &seconds(lease), &limit])
            .await?;
        rows.iter().map(notification).collect()
    }

    async fn announce(&self, notification: &Notification, payload: &Payload) -> Result<()> {
        let audience = notification.draft.audience(notification.tenant).to_string();
        self.database
            .execute(
                "announcing a notification",
                ANNOUNCE,
                &[&notification.id.0, &notification.key().to_string(), &audience, &payload.as_str()],
            )
            .await?;
        Ok(())
    }

    async fn sent(&self, delivered: &[Delivered]) -> Result<Vec<NotificationId>> {
        let ids: Vec<_> = delivered.iter().map(|one| one.id.0).collect();
        let rooms: Vec<_> = delivered.iter().map(|one| one.room.as_str()).collect();
        let events: Vec<_> = delivered.iter().map(|one| one.event.as_str()).collect();
        let payloads = delivered.iter().map(Delivered::payload).collect::<Result<Vec<_>>>()?;
        let payloads: Vec<_> = payloads.iter().map(Payload::as_str).collect();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&ids, &rooms, &events, &payloads];
        let row = self.database.query_one("storing sent notifications", SENT, &parameters).await?;
        Ok(row.get::<_, Vec<i64>>(0).into_iter().map(NotificationId).collect())
    }

    async fn failed(&self, id: NotificationId, reason: &str, detail: &str) -> Result<()> {
        let detail = bounded(detail);
        self.database.execute("storing a failed notification", FAILED, &[&id.0, &reason, &detail]).await?;
        Ok(())
    }

    async fn postpone(
        &self,
        notification: &Notification,
        delay: Duration,
        reason: &str,
        detail: &str,
    ) -> Result<()> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&notification.id.0, &seconds(delay), &reason, &bounded(detail)];
        self.database.execute("postponing a notification", POSTPONE, &parameters).await?;
        Ok(())
    }

    async fn release(&self, queue: &RoomQueue, release: QueueRelease) -> Result<()> {
        let backoff = match release {
            QueueRelease::Drained | QueueRelease::UntilSignIn => None,
            QueueRelease::RetryAfter(time) => Some(seconds(time)),
        };
        let is_drained = release == QueueRelease::Drained;
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&queue.name, &queue.version, &backoff, &is_drained];
        self.database.execute("releasing a room queue", RELEASE, &parameters).await?;
        Ok(())
    }

    async fn retry_queue(&self, name: &str) -> Result<()> {
        self.database.execute("retrying a room queue", RETRY, &[&name]).await.map(drop)
    }
}

/// Returns the first characters of an error in words. PostgreSQL stores no U+0000.
pub(crate) fn bounded(detail: &str) -> String {
    detail.chars().filter(|character| *character != '\0').take(DETAIL_MAX).collect()
}
