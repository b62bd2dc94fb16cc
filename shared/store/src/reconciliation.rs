//! Reconciliation with the homeserver: the stored sync token, and the lease of the worker that reads `/sync`.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{Result, lease::Lease, port::Reconciliation};

use crate::{
    PgStore,
    lease::held,
    pool::{duration, seconds},
};

const CLAIM: &str = "update reconciliation set worker = $1, lease_until = now() + $2 * interval '1 second'
    where worker = $1 or lease_until <= now()
    returning sync_token";
const ADVANCE: &str = "update reconciliation
    set lease_until = now() + $3 * interval '1 second', sync_token = $2, moved_at = now()
    where worker = $1";
const RENEW: &str =
    "update reconciliation set lease_until = now() + $2 * interval '1 second' where worker = $1";
const RELEASE: &str = "update reconciliation set lease_until = now() where worker = $1";
const SYNC_TOKEN: &str = "select sync_token from reconciliation";
const MOVED_AT: &str = "select moved_at from reconciliation";
const NOTE_PUSH: &str = "update reconciliation set pushed_at = now()";
const SINCE_PUSH: &str = "select extract(epoch from now() - pushed_at)::double precision from reconciliation";

#[async_trait]
impl Reconciliation for PgStore {
    async fn claim(&self, worker: &str, lease: Duration) -> Result<Lease<Option<String>>> {
        let row =
            self.database.query_opt("claiming reconciliation", CLAIM, &[&worker, &seconds(lease)]).await?;
        Ok(row.map_or(Lease::Lost, |row| Lease::Held(row.get(0))))
    }

    async fn advance(&self, worker: &str, sync_token: &str, lease: Duration) -> Result<Lease<()>> {
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&worker, &sync_token, &seconds(lease)];
        self.database.execute("storing the sync token", ADVANCE, &parameters).await.map(held)
    }

    async fn renew(&self, worker: &str, lease: Duration) -> Result<Lease<()>> {
        let renewed =
            self.database.execute("renewing reconciliation", RENEW, &[&worker, &seconds(lease)]).await;
        renewed.map(held)
    }

    async fn release(&self, worker: &str) -> Result<()> {
        self.database.execute("releasing reconciliation", RELEASE, &[&worker]).await.map(drop)
    }

    async fn sync_token(&self) -> Result<Option<String>> {
        let row = self.database.query_opt("reading the sync token", SYNC_TOKEN, &[]).await?;
        Ok(row.and_then(|row| row.get(0)))
    }

    async fn moved_at(&self) -> Result<Timestamp> {
        Ok(self.database.query_one("reading the age of the sync token", MOVED_AT, &[]).await?.get(0))
    }

    async fn note_push(&self) -> Result<()> {
        self.database.execute("storing the time of a push", NOTE_PUSH, &[]).await.map(drop)
    }

    async fn since_push(&self) -> Result<Option<Duration>> {
        let row = self.database.query_one("reading the time of the last push", SINCE_PUSH, &[]).await?;
        Ok(row.get::<_, Option<f64>>(0).map(duration))
    }
}
