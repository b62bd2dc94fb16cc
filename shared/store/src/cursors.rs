//! Cursors of readers that keep none themselves, `poll_cursors`.

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{HubUserId, Position, TenantId},
    port::Cursors,
};

use crate::PgStore;

const LOAD: &str =
    "select position from poll_cursors where tenant_id = $1 and hub_user_id = $2 and reader = $3";
const STORE: &str =
    "insert into poll_cursors (tenant_id, hub_user_id, reader, position) values ($1, $2, $3, $4)
    on conflict (tenant_id, hub_user_id, reader) do update set position = excluded.position, read_at = now()";

#[async_trait]
impl Cursors for PgStore {
    async fn load(&self, tenant: TenantId, user: &HubUserId, reader: &str) -> Result<Option<Position>> {
        let row = self
            .database
            .query_opt("reading a poll cursor", LOAD, &[&tenant.0, &user.as_str(), &reader])
            .await?;
        Ok(row.map(|row| Position(row.get(0))))
    }

    async fn store(&self, tenant: TenantId, user: &HubUserId, reader: &str, at: Position) -> Result<()> {
        self.database
            .execute("storing a poll cursor", STORE, &[&tenant.0, &user.as_str(), &reader, &at.0])
            .await?;
        Ok(())
    }
}
