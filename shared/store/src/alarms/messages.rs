//! The messages of alarms: root messages, their edits, and rings.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    alarm::{EpisodeId, RingReason},
    error::Failure,
    id::{AlarmId, EventId, HubUserId, NotificationId, RingId, RoomId, TenantId},
    port::{
        AlarmMessageDue, AlarmOutbox, MessageOfAlarm, RoomQueue, RootAttempt, RootMessage, SentAlarmMessage,
    },
};
use tokio_postgres::{Row, types::ToSql};

use super::row::{EPISODE_COUNT, READING, episode, episode_columns};
use crate::{PgStore, error::fault, outbox::bounded, pool::seconds};

/// The columns that [`message`] reads after those of the episode.
macro_rules! message_columns {
    () => {
        ", alarm.source_app, alarm.id, alarm.tenant_id, alarm.revision, episode.root, episode.root_room,
        episode.root_event"
    };
}

const DUE: &str = concat!(
    "select * from (
        (select ",
    episode_columns!(),
    message_columns!(),
    ", episode.place as place, null::bigint as ring, null::text as reason
        from alarm_episodes episode
        join alarms alarm on alarm.id = episode.alarm_id
        where episode.queue between $1 and $1 and episode.due is not null and episode.due <= now()
        order by episode.queue, episode.place limit $2)
        union all
        (select ",
    episode_columns!(),
    message_columns!(),
    ", ring.id, ring.id, ring.reason
        from rings ring
        join alarms alarm on alarm.id = ring.alarm_id
        join alarm_episodes episode on episode.alarm_id = ring.alarm_id and episode.number = ring.episode
        where ring.queue between $1 and $1 and ring.state in ('waiting', 'sending')
        order by ring.queue, ring.id limit $2)
    ) message
    order by place limit $2"
);
const BEGIN_ROOT: &str = "select its_root, its_revision from begin_alarm_root($1, $2, $3, $4)";
const MARK: &str = "select last_revision, last_n from mark_alarm_notifications($1, $2, $3, $4, $5, $6, $7)";
const STORE_SENT: &str = "select store_alarm_message($1, $2, $3, $4, $5, $6, $7, $8)";
const REJECTED: &str = "select store_alarm_rejection($1, $2, $3, $4, $5)";
const BEGIN_RING: &str = "select begin_ring($1)";
const RUNG: &str = "with rung as (
        update rings
        set state = case when $3::text is null then 'failed' else 'sent' end, matrix_room_id = $2, event_id = $3,
            sent_at = now()
        where id = $1
        returning alarm_id, episode)
    insert into alarm_messages (event_id, matrix_room_id, alarm_id, episode, kind)
    select $3, $2, alarm_id, episode, 'ring' from rung where $3 is not null
    on conflict do nothing";
/// Without a delay it is exponential, with jitter.
const BACK_OFF: &str = "update outbox_queues
    set due = now() + interval '1 second'
            * coalesce($2, least(300, 2 ^ least(attempts, 9)) * (0.75 + random() * 0.25)),
        attempts = attempts + 1, lease_until = '-infinity'
    where name = $1";
const ALARM_OF: &str = "select message.alarm_id, message.episode, alarm.episode = message.episode
    from alarm_messages message
    join alarms alarm on alarm.id = message.alarm_id
    where message.event_id = $1 and message.matrix_room_id = $2";
const ACKNOWLEDGED_BY: &str = "select alarm_id, episode from alarm_inputs
    where event_id = $1 and hub_user_id = $2 and action = 'acknowledge'
    union all
    select alarm_id, episode from alarm_journal
    where event_id = $1 and hub_user_id = $2 and action = 'acknowledge'
    limit 1";

#[async_trait]
impl AlarmOutbox for PgStore {
    async fn due_messages(&self, queue: &RoomQueue, limit: i64) -> Result<Vec<AlarmMessageDue>> {
        let rows =
            self.database.query("reading the alarms of a room queue", DUE, &[&queue.name, &limit]).await?;
        rows.iter().map(message).collect()
    }

    async fn begin_root(&self, message: &AlarmMessageDue, room: &RoomId) -> Result<RootAttempt> {
        let parameters: [&(dyn ToSql + Sync); 4] =
            [&message.alarm.0, &message.episode.number, &message.revision, &room.as_str()];
        let row = self.database.query_one("beginning a root message", BEGIN_ROOT, &parameters).await?;
        Ok(RootAttempt { number: row.get(0), revision: row.get(1) })
    }

    async fn message_sent(&self, sent: &SentAlarmMessage) -> Result<bool> {
        self.mark_notifications(sent).await?;
        let payload = sent.payload()?;
        let parameters: [&(dyn ToSql + Sync); 8] = [
            &sent.alarm.0,
            &sent.episode,
            &sent.root.number,
            &sent.revision,
            &sent.root.room.as_str(),
            &sent.root.event.as_str(),
            &sent.edit.as_ref().map(EventId::as_str),
            &payload.as_str(),
        ];
        Ok(self.database.query_one("storing a message of an alarm", STORE_SENT, &parameters).await?.get(0))
    }

    async fn rejected(&self, message: &AlarmMessageDue, reason: &str, detail: &str) -> Result<()> {
        let detail = bounded(detail);
        let parameters: [&(dyn ToSql + Sync); 5] =
            [&message.alarm.0, &message.episode.number, &message.revision, &reason, &detail];
        self.database.execute("storing a rejected message", REJECTED, &parameters).await.map(drop)
    }

    async fn begin_ring(&self, ring: RingId) -> Result<bool> {
        Ok(self.database.query_one("beginning a ring", BEGIN_RING, &[&ring.0]).await?.get(0))
    }

    async fn rung(&self, ring: RingId, room: &RoomId, event: Option<&EventId>) -> Result<()> {
        let parameters: [&(dyn ToSql + Sync); 3] = [&ring.0, &room.as_str(), &event.map(EventId::as_str)];
        self.database.execute("storing a ring", RUNG, &parameters).await.map(drop)
    }

    async fn back_off(&self, queue: &RoomQueue, delay: Option<Duration>) -> Result<()> {
        let delay = delay.map(seconds);
        self.database.execute("postponing a room queue", BACK_OFF, &[&queue.name, &delay]).await.map(drop)
    }

    async fn alarm_of(&self, room: &RoomId, event: &EventId) -> Result<Option<MessageOfAlarm>> {
        let parameters: [&(dyn ToSql + Sync); 2] = [&event.as_str(), &room.as_str()];
        let row = self.database.query_opt("looking for a message of an alarm", ALARM_OF, &parameters).await?;
        Ok(row.map(|row| MessageOfAlarm { of: episode_id(&row), is_newest: row.get(2) }))
    }

    async fn acknowledged_by(&self, event: &EventId, user: &HubUserId) -> Result<Option<EpisodeId>> {
        let parameters: [&(dyn ToSql + Sync); 2] = [&event.as_str(), &user.as_str()];
        let row = self.database.query_opt("looking for an act", ACKNOWLEDGED_BY, &parameters).await?;
        Ok(row.as_ref().map(episode_id))
    }
}

impl PgStore {
    /// Marks the notifications that a sent message shows, some at a time, so that no other statement waits for
    /// them. If this fails, the message is due until it is repeated.
    async fn mark_notifications(&self, sent: &SentAlarmMessage) -> Result<()> {
        let (mut after, mut after_n): (Option<i64>, Option<i32>) = (None, None);
        loop {
            let parameters: [&(dyn ToSql + Sync); 7] = [
                &sent.alarm.0,
                &sent.episode,
                &sent.revision,
                &sent.root.room.as_str(),
                &sent.root.event.as_str(),
                &after,
                &after_n,
            ];
            let row =
                self.database.query_one("storing the notifications of an alarm", MARK, &parameters).await?;
            (after, after_n) = (row.get(0), row.get(1));
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

fn episode_id(row: &Row) -> EpisodeId {
    EpisodeId { alarm: AlarmId(row.get(0)), episode: row.get(1) }
}

fn message(row: &Row) -> Result<AlarmMessageDue> {
    let broken = || fault(Failure::Broken, READING, "a message of an alarm is incomplete");
    let column = |n: usize| EPISODE_COUNT + n;
    let source_app: String = row.get(column(0));
    let room = row.get::<_, Option<String>>(column(5)).map(RoomId::new);
    let event = row.get::<_, Option<String>>(column(6)).map(EventId::new);
    let number = row.get(column(4));
    let ring = row.get::<_, Option<i64>>(column(8)).map(RingId);
    let reason = row.get::<_, Option<&str>>(column(9)).and_then(RingReason::parse);
    Ok(AlarmMessageDue {
        place: NotificationId(row.get(column(7))),
        alarm: AlarmId(row.get(column(1))),
        tenant: TenantId(row.get(column(2))),
        revision: row.get(column(3)),
        episode: episode(row, 0, &source_app)?.ok_or_else(broken)?,
        root: room.zip(event).map(|(room, event)| RootMessage { number, room, event }),
        ring: ring.zip(reason),
    })
}
