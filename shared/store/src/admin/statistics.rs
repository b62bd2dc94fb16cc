//! The figures of a tenant for its administrators.

use std::collections::BTreeMap;

use async_trait::async_trait;
use messenger_core::{
    Result,
    admin::{SendingApp, TenantFigures},
    id::{NotificationId, TenantId},
    port::AdminStatistics,
};
use tokio_postgres::{Row, types::ToSql};

use crate::{PgStore, pool::duration};

/// Reads the pending notifications and the undelivered ones by their partial indexes, and the sent ones of the
/// last hour by their ids.
const FIGURES: &str = "select users.count, users.provisioned, rooms.kinds, rooms.counts, rooms.messages,
        (select coalesce(sum(connections), 0)::bigint from sse_connections
         where tenant_id = $1 and reported_at > now() - interval '60 seconds'),
        pending.count, pending.held, pending.queues, pending.oldest,
        lost.statuses, lost.reasons, lost.counts, sends_per_minute($1)
    from (
        select count(*) as count, count(*) filter (where account_due is null) as provisioned
        from users where tenant_id = $1
    ) users, (
        select coalesce(array_agg(kind), '{}') as kinds, coalesce(array_agg(count), '{}') as counts,
               coalesce(sum(messages), 0)::bigint as messages
        from (
            select case kind when 'bot_dm' then 'dm' else kind end as kind, count(*) as count,
                   sum(message_count) as messages
            from rooms where tenant_id = $1 and matrix_room_id is not null group by 1
        ) kind
    ) rooms, (
        select count(*) filter (where announced) as count, count(*) filter (where not announced) as held,
               count(distinct queue) filter (where announced) as queues,
               extract(epoch from now() - min(created_at) filter (where announced))::double precision as oldest
        from notifications
        where tenant_id = $1 and status = 'pending' and (expires_at is null or expires_at > now())
    ) pending, (
        select coalesce(array_agg(status), '{}') as statuses, coalesce(array_agg(reason), '{}') as reasons,
               coalesce(array_agg(count), '{}') as counts
        from undelivered($1)
    ) lost";
/// Reads one row of `notifications_by_app` for the name of each app, and another one for its newest notification.
const LIST_APPS: &str = "with recursive app (name) as (
        (select source_app from notifications where tenant_id = $1 order by source_app limit 1)
        union all
        select (
            select source_app from notifications
            where tenant_id = $1 and source_app > app.name order by source_app limit 1
        )
        from app where app.name is not null
    )
    select app.name, last.id, last.created_at
    from app, lateral (
        select id, created_at from notifications
        where tenant_id = $1 and source_app = app.name order by id desc limit 1
    ) last
    where app.name is not null limit 500";
/// Reads one row of an index of users for each tenant.
const LIST_TENANTS: &str = "with recursive tenant (id) as (
        (select tenant_id from users order by tenant_id limit 1)
        union all
        select (select tenant_id from users where tenant_id > tenant.id order by tenant_id limit 1)
        from tenant where tenant.id is not null
    )
    select id from tenant where id is not null limit 1000";
const REPORT: &str = "insert into sse_connections as known (process, tenant_id, connections)
    select $1, reported.tenant, reported.count
    from unnest($2::bigint[], $3::bigint[]) as reported (tenant, count)
    on conflict (tenant_id, process) do update set connections = excluded.connections, reported_at = now()";

#[async_trait]
impl AdminStatistics for PgStore {
    async fn figures(&self, tenant: TenantId) -> Result<TenantFigures> {
        let row = self.database.query_one("reading the figures of a tenant", FIGURES, &[&tenant.0]).await?;
        let (kinds, counts): (Vec<String>, Vec<i64>) = (row.get(2), row.get(3));
        let oldest: Option<f64> = row.get(9);
        let (statuses, reasons, lost): (Vec<String>, Vec<String>, Vec<i64>) =
            (row.get(10), row.get(11), row.get(12));
        let of = |wanted: &str| {
            statuses.iter().zip(&lost).filter(|(status, _)| *status == wanted).map(|(_, count)| count).sum()
        };
        let mut by_reason = BTreeMap::new();
        for (reason, count) in reasons.into_iter().zip(&lost) {
            *by_reason.entry(reason).or_default() += count;
        }
        Ok(TenantFigures {
            users: row.get(0),
            provisioned_users: row.get(1),
            rooms: kinds.into_iter().zip(counts).collect(),
            messages: row.get(4),
            sse_connections: row.get(5),
            pending: row.get(6),
            held: row.get(7),
            queues: row.get(8),
            oldest_pending: oldest.map(duration),
            failed: of("failed"),
            expired: of("expired"),
            by_reason,
            sends_per_minute: row.get(13),
        })
    }

    async fn apps(&self, tenant: TenantId) -> Result<Vec<SendingApp>> {
        let rows = self.database.query("listing the apps of a tenant", LIST_APPS, &[&tenant.0]).await?;
        let app = |row: &Row| SendingApp {
            name: row.get(0),
            last: NotificationId(row.get(1)),
            last_at: row.get(2),
        };
        Ok(rows.iter().map(app).collect())
    }

    async fn tenants(&self) -> Result<Vec<TenantId>> {
        let rows = self.database.query("listing the tenants", LIST_TENANTS, &[]).await?;
        Ok(rows.iter().map(|row| TenantId(row.get(0))).collect())
    }

    async fn report_streams(&self, process: &str, streams: &[(TenantId, i64)]) -> Result<()> {
        let tenants: Vec<_> = streams.iter().map(|(tenant, _)| tenant.0).collect();
        let counts: Vec<_> = streams.iter().map(|(_, count)| *count).collect();
        let parameters: [&(dyn ToSql + Sync); 3] = [&process, &tenants, &counts];
        self.database.execute("reporting event streams", REPORT, &parameters).await.map(drop)
    }
}
