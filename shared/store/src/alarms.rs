//! Alarms, their inputs and journals.

mod apply;
mod messages;
mod row;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    alarm::{
        Alarm, AlarmCursor, AlarmKey, AlarmQuery, JournalCursor, JournalPage, JournalQuery, StateFilter,
    },
    id::{AlarmId, HubUserId, NotificationId, TenantId},
    port::{AlarmChange, Alarms, LoadedAlarm},
};
use tokio_postgres::Row;

use crate::{PgStore, pool::seconds};
use row::{COUNT, JOURNAL, READING, alarm, columns, input, journal_entry};

/// One row for each key, in their order. An alarm that is not stored gets an id.
const LOAD: &str = concat!(
    "select ",
    columns!(),
    ", case when alarm.id is null then nextval('alarms_id_seq') end
    from unnest($1::bigint[], $2::text[], $3::text[]) with ordinality as wanted (tenant_id, source_app, dedup_key, n)
    left join alarms alarm using (tenant_id, source_app, dedup_key)
    left join alarm_episodes episode on episode.alarm_id = alarm.id and episode.number = alarm.episode
    order by wanted.n"
);
/// The waiting inputs of alarms, and the time; a row without an input if there are none.
const INPUTS: &str = "select input.id, input.received_at, input.action, input.notification_id, input.hub_user_id,
        input.user_name, input.event_id, input.occurred_at, input.episode, input.comment, input.ack_required,
        input.ack_expires_after, input.resolve_after, notification.source_app, notification.event_type,
        notification.title, notification.body, notification.target_type, notification.entity_type,
        notification.entity_id, notification.target_user, notification.priority, input.alarm_id, clock.at
    from (select clock_timestamp() as at) clock
    left join (alarm_inputs input left join notifications notification on notification.id = input.notification_id)
        on input.alarm_id = any ($1)
    order by input.id";
/// Looks at the oldest waiting inputs only, which have waited longest. Those of ingested events are due at once.
const CLAIM_DUE: &str = "with due as materialized (
        select id, min(at) as since from (
            select alarm_id as id, received_at + case when notification_id is null then interval '0'
                                                 else interval '1 second' end as at
            from (select alarm_id, received_at, notification_id from alarm_inputs order by id limit 10000) oldest
            union all
            (select id, next_at from alarms where next_at <= now() order by next_at limit 10000)
        ) known
        where at <= now() group by id
    ), claimed as materialized (
        select alarm.id, due.since from due join alarms alarm using (id)
        where alarm.lease_until <= now()
        order by due.since limit $2 for no key update of alarm skip locked
    ), leased as (
        update alarms set lease_until = now() + $1 * interval '1 second'
        from claimed where alarms.id = claimed.id
        returning tenant_id, source_app, dedup_key, claimed.since
    )
    select tenant_id, source_app, dedup_key from leased order by since";
const FIND: &str = concat!(
    "select ",
    columns!(),
    " from alarms alarm
    left join alarm_episodes episode on episode.alarm_id = alarm.id and episode.number = alarm.episode
    where alarm.tenant_id = $1 and alarm.id = $2 and alarm.revision > 0"
);
const OF_NOTIFICATION: &str = concat!(
    "select ",
    columns!(),
    ", entry.episode from alarm_journal entry
    join alarms alarm on alarm.id = entry.alarm_id and alarm.tenant_id = $1
    left join alarm_episodes episode on episode.alarm_id = alarm.id and episode.number = alarm.episode
    where entry.notification_id = $2"
);
/// Returns the statement for the next alarms in the order of `AlarmCursor` that meet a condition. The caller checks the
/// other conditions of the query.
macro_rules! list {
    ($condition:literal) => {
        concat!(
            "select ",
            columns!(),
            " from alarms alarm
    join alarm_episodes episode on episode.alarm_id = alarm.id and episode.number = alarm.episode
    where alarm.tenant_id = $1 and (alarm.started_at, alarm.id) < ($2, $3) and ",
            $condition,
            " and ($5::text is null or alarm.source_app = $5)
      and (episode.target_user is null or episode.target_user = $6)
    order by alarm.tenant_id desc, alarm.started_at desc, alarm.id desc limit $4"
        )
    };
}
const LIST: &str = list!("alarm.started_at is not null");
/// Those that are normal are most.
const LIST_OPEN: &str = list!("alarm.state <> 'normal'");
/// The most alarms that a list looks at in one statement, and the most statements of a list.
const LIST_MAX: i64 = 1000;
const LIST_STATEMENTS: usize = 20;

#[async_trait]
impl Alarms for PgStore {
    async fn load(&self, keys: &[AlarmKey]) -> Result<Vec<LoadedAlarm>> {
        let tenants: Vec<_> = keys.iter().map(|key| key.tenant.0).collect();
        let apps: Vec<_> = keys.iter().map(|key| key.source_app.as_str()).collect();
        let dedup_keys: Vec<_> = keys.iter().map(|key| key.dedup_key.as_str()).collect();
        // An input that is consumed after the alarm was read makes its revision stale.
        let rows = self.database.query(READING, LOAD, &[&tenants, &apps, &dedup_keys]).await?;
        let alarms: Vec<_> = rows
            .iter()
            .zip(keys)
            .map(|(row, key)| match row.get::<_, Option<i64>>(COUNT) {
                Some(id) => Ok(Alarm::new(AlarmId(id), key.clone())),
                None => alarm(row),
            })
            .collect::<Result<_>>()?;
        let ids: Vec<_> = alarms.iter().map(|alarm| alarm.id.0).collect();
        let rows = self.database.query(READING, INPUTS, &[&ids]).await?;
        let now = rows.first().map_or(Timestamp::UNIX_EPOCH, |row| row.get(23));
        let mut loaded: Vec<_> =
            alarms.into_iter().map(|alarm| LoadedAlarm { alarm, inputs: Vec::new(), now }).collect();
        for row in &rows {
            let Some(of) = row.get::<_, Option<i64>>(22) else { continue };
            let input = input(row)?;
            for loaded in loaded.iter_mut().filter(|loaded| loaded.alarm.id.0 == of) {
                loaded.inputs.push(input.clone());
            }
        }
        Ok(loaded)
    }

    async fn apply(&self, changes: &[AlarmChange]) -> Result<Vec<AlarmKey>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        apply::apply(&self.database, changes).await
    }

    async fn claim_due(&self, lease: Duration, limit: i64) -> Result<Vec<AlarmKey>> {
        let rows = self.database.query("claiming alarms", CLAIM_DUE, &[&seconds(lease), &limit]).await?;
        Ok(rows.iter().map(key).collect())
    }

    async fn find(&self, tenant: TenantId, id: AlarmId) -> Result<Option<Alarm>> {
        self.database.query_opt(READING, FIND, &[&tenant.0, &id.0]).await?.as_ref().map(alarm).transpose()
    }

    async fn of_notification(
        &self,
        tenant: TenantId,
        notification: NotificationId,
    ) -> Result<Option<(Alarm, i64)>> {
        let row = self.database.query_opt(READING, OF_NOTIFICATION, &[&tenant.0, &notification.0]).await?;
        row.map(|row| Ok((alarm(&row)?, row.get(COUNT)))).transpose()
    }

    async fn list(&self, tenant: TenantId, reader: &HubUserId, query: &AlarmQuery) -> Result<Vec<Alarm>> {
        let is_open = matches!(query.state, Some(StateFilter::Open | StateFilter::Unacknowledged));
        let statement = if is_open { LIST_OPEN } else { LIST };
        let limit = usize::try_from(query.limit).unwrap_or_default();
        let (mut found, mut after) = (Vec::new(), query.after);
        for _ in 0..LIST_STATEMENTS {
            let page = self.page(statement, (tenant, reader), query, after).await?;
            let is_last = i64::try_from(page.len()).is_ok_and(|length| length < LIST_MAX);
            after = page.last().and_then(AlarmCursor::of).or(after);
            found.extend(page.into_iter().filter(|alarm| query.matches(alarm, reader)));
            if is_last || found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    async fn journal(
        &self,
        tenant: TenantId,
        id: AlarmId,
        query: &JournalQuery,
    ) -> Result<Option<JournalPage>> {
        if self.find(tenant, id).await?.is_none() {
            return Ok(None);
        }
        let (revision, number) =
            query.before.map_or((i64::MAX, 0), |before| (before.revision, before.number));
        let number = i32::try_from(number).unwrap_or(i32::MAX);
        // One more entry shows whether another page follows.
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&id.0, &revision, &number, &query.limit.saturating_add(1)];
        let rows = self.database.query("reading the journal of an alarm", JOURNAL, &parameters).await?;
        let limit = usize::try_from(query.limit).unwrap_or_default();
        let mut entries: Vec<_> = rows.iter().map(journal_entry).collect::<Result<_>>()?;
        entries.truncate(limit);
        let last = rows.get(limit.saturating_sub(1)).filter(|_| rows.len() > limit);
        let next_before =
            last.map(|row| JournalCursor { revision: row.get(14), number: row.get::<_, i32>(15).into() });
        Ok(Some(JournalPage { entries, next_before }))
    }
}

impl PgStore {
    /// Returns the next alarms that may match a query.
    async fn page(
        &self,
        statement: &'static str,
        (tenant, reader): (TenantId, &HubUserId),
        query: &AlarmQuery,
        after: Option<AlarmCursor>,
    ) -> Result<Vec<Alarm>> {
        let (started_at, id) =
            after.map_or((Timestamp::MAX, i64::MAX), |after| (after.started_at, after.id.0));
        let reader = reader.as_str();
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&tenant.0, &started_at, &id, &LIST_MAX, &query.source_app, &reader];
        let rows = self.database.query(READING, statement, &parameters).await?;
        rows.iter().map(alarm).collect()
    }
}

fn key(row: &Row) -> AlarmKey {
    AlarmKey { tenant: TenantId(row.get(0)), source_app: row.get(1), dedup_key: row.get(2) }
}
