//! Cursors in memory.

use std::collections::HashMap;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{HubUserId, Position, TenantId},
    port::Cursors,
};

use super::Memory;

pub(super) type Table = HashMap<(TenantId, HubUserId, String), Position>;

#[async_trait]
impl Cursors for Memory {
    async fn load(&self, tenant: TenantId, user: &HubUserId, reader: &str) -> Result<Option<Position>> {
        let key = (tenant, user.clone(), reader.to_owned());
        self.act("reading a cursor", |state| state.cursors.get(&key).copied()).await
    }

    async fn store(
        &self,
        tenant: TenantId,
        user: &HubUserId,
        reader: &str,
        position: Position,
    ) -> Result<()> {
        let key = (tenant, user.clone(), reader.to_owned());
        self.act("storing a cursor", |state| state.cursors.insert(key, position)).await.map(|_| ())
    }
}
