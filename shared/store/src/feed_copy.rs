//! The copy of the event log in another store, `feed_copy`: its id, its progress and the lease of its relay.

mod readers;

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::Position,
    lease::Lease,
    port::{FeedCopies, FeedCopy, RelayLag},
};
use tokio_postgres::Row;

use crate::{
    PgStore,
    lease::held,
    pool::{duration, seconds},
};

const CLAIM: &str = "select id, announced
    from claim_feed_copy($1, $2 * interval '1 second', $3 * interval '1 second')";
const REPLACE: &str = "select id, announced from replace_feed_copy($1)";
const ANNOUNCE: &str = "update feed_copy
    set announced = greatest(announced, $3), lease_until = now() + $4 * interval '1 second'
    where relay = $1 and id = $2";
const RELAYED: &str = "with held as (
        update feed_copy set relayed = greatest(relayed, $3) where relay = $1 and id = $2 returning id, relayed
    )
    select pg_notify('feed_relayed', id || ' ' || relayed) from held";
const RELEASE: &str = "update feed_copy set lease_until = now() where relay = $1";
const COPY: &str = "select id from feed_copy";
const LAG: &str = "select greatest(head.position - coalesce(copy.relayed, 0), 0),
    (select extract(epoch from now() - created_at)::double precision from events
     where position > greatest(head.trimmed, coalesce(copy.relayed, 0)) order by position limit 1)
    from feed_head as head left join feed_copy as copy on true";

#[async_trait]
impl FeedCopies for PgStore {
    async fn claim(&self, relay: &str, lease: Duration, retention: Duration) -> Result<Lease<FeedCopy>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&relay, &seconds(lease), &seconds(retention)];
        Ok(copy(self.database.query_opt("claiming the copy of the event log", CLAIM, &parameters).await?))
    }

    async fn replace(&self, relay: &str) -> Result<Lease<FeedCopy>> {
        Ok(copy(self.database.query_opt("replacing the copy of the event log", REPLACE, &[&relay]).await?))
    }

    async fn announce(
        &self,
        relay: &str,
        copy: &str,
        position: Position,
        lease: Duration,
    ) -> Result<Lease<()>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&relay, &copy, &position.0, &seconds(lease)];
        let updated =
            self.database.execute("announcing a position of the copy", ANNOUNCE, &parameters).await?;
        Ok(held(updated))
    }

    async fn relayed(&self, relay: &str, copy: &str, position: Position) -> Result<Lease<()>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&relay, &copy, &position.0];
        let row = self.database.query_opt("storing a position of the copy", RELAYED, &parameters).await?;
        Ok(held(u64::from(row.is_some())))
    }

    async fn release(&self, relay: &str) -> Result<()> {
        self.database.execute("releasing the copy of the event log", RELEASE, &[&relay]).await.map(drop)
    }

    async fn copy(&self) -> Result<Option<String>> {
        let row = self.database.query_opt("reading the id of the copy", COPY, &[]).await?;
        Ok(row.map(|row| row.get(0)))
    }

    async fn lag(&self) -> Result<RelayLag> {
        let row = self.database.query_one("reading the lag of the copy", LAG, &[]).await?;
        Ok(RelayLag {
            events: u64::try_from(row.get::<_, i64>(0)).unwrap_or_default(),
            age: row.get::<_, Option<f64>>(1).map(duration).unwrap_or_default(),
        })
    }
}

fn copy(row: Option<Row>) -> Lease<FeedCopy> {
    row.map_or(Lease::Lost, |row| Lease::Held(FeedCopy { id: row.get(0), announced: Position(row.get(1)) }))
}
