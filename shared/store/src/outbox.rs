//! What is still to be delivered: room queues, and the pending notifications in them.

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
    notifications::{columns, notification},
    pool::seconds,
};

const CLAIM: &str = "update outbox_lanes set lease_until = now() + $1 * interval '1 second'
    where name = (
        select name from outbox_lanes where due <= now() and due < 'infinity' and lease_until <= now()
        order by due limit 1 for update skip locked)
    returning name, version";
const PENDING: &str = concat!(
    "with renewed as (
        update outbox_lanes set lease_until = now() + $2 * interval '1 second' where name = $1)
    select ",
    columns!(),
    " from notifications
    where lane between $1 and $1 and status = 'pending' and (expires_at is null or expires_at > now())
    order by lane, id limit $3"
);
const ANNOUNCE: &str = "select announce_notification($1, $2, $3)";
/// Does not wait for the disk: should PostgreSQL forget it in a crash, the message is sent again under the same
/// transaction id, which the homeserver answers with the event that it has.
const SENT: &str = "with quick as materialized (select set_config('synchronous_commit', 'off', true))
    update notifications
    set status = 'sent', reason = null, matrix_room_id = delivered.room, matrix_event_id = delivered.event,
        answer_due = null
    from quick, unnest($1::bigint[], $2::text[], $3::text[]) as delivered (id, room, event)
    where notifications.id = delivered.id and status in ('pending', 'expired')";
const FAILED: &str = "update notifications set status = 'failed', reason = $2, answer_due = null
    where id = $1 and status = 'pending'";
const POSTPONE: &str = "with postponed as (
        update notifications
        set attempts = attempts + 1, reason = $3, answer_due = null,
            next_attempt_at = now() + $2 * interval '1 second'
        where id = $1 and status = 'pending'
        returning lane)
    update outbox_lanes lane
    set due = now() + $2 * interval '1 second', attempts = lane.attempts + 1, lease_until = '-infinity'
    from postponed where lane.name = postponed.lane";
/// `$3` is how long the room queue rests, null for as long as nothing new comes in.
const RELEASE: &str = "update outbox_lanes
    set lease_until = '-infinity',
        attempts = case when $3::double precision is null then 0 else attempts end,
        due = case when version <> $2 then now() else coalesce(now() + $3 * interval '1 second', 'infinity') end
    where name = $1";

#[async_trait]
impl Outbox for PgStore {
    async fn claim(&self, lease: Duration) -> Result<Option<RoomQueue>> {
        let row = self.database.query_opt("claiming a lane", CLAIM, &[&seconds(lease)]).await?;
        Ok(row.map(|row| RoomQueue { name: row.get(0), version: row.get(1) }))
    }

    async fn pending(&self, queue: &RoomQueue, lease: Duration, limit: i64) -> Result<Vec<Notification>> {
        let rows =
            self.database.query("reading a lane", PENDING, &[&queue.name, &seconds(lease), &limit]).await?;
        rows.iter().map(notification).collect()
    }

    async fn announce(&self, notification: &Notification, payload: &Payload) -> Result<()> {
        let audience = notification.draft.audience(notification.tenant).to_string();
        self.database
            .execute(
                "announcing a notification",
                ANNOUNCE,
                &[&notification.id.0, &audience, &payload.as_str()],
            )
            .await?;
        Ok(())
    }

    async fn sent(&self, delivered: &[Delivered]) -> Result<()> {
        let ids: Vec<_> = delivered.iter().map(|one| one.id.0).collect();
        let rooms: Vec<_> = delivered.iter().map(|one| one.room.as_str()).collect();
        let events: Vec<_> = delivered.iter().map(|one| one.event.as_str()).collect();
        self.database.execute("storing what was sent", SENT, &[&ids, &rooms, &events]).await?;
        Ok(())
    }

    async fn failed(&self, id: NotificationId, reason: &str) -> Result<()> {
        self.database.execute("storing that it failed", FAILED, &[&id.0, &reason]).await?;
        Ok(())
    }

    async fn postpone(&self, notification: &Notification, delay: Duration, reason: &str) -> Result<()> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&notification.id.0, &seconds(delay), &reason];
        self.database.execute("postponing a notification", POSTPONE, &parameters).await?;
        Ok(())
    }

    async fn release(&self, queue: &RoomQueue, rest: QueueRelease) -> Result<()> {
        let rest = match rest {
            QueueRelease::Drained | QueueRelease::UntilSignIn => None,
            QueueRelease::RetryAfter(time) => Some(seconds(time)),
        };
        self.database.execute("leaving a lane", RELEASE, &[&queue.name, &queue.version, &rest]).await?;
        Ok(())
    }
}
