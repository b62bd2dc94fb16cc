//! The port of the stored cursors.

use async_trait::async_trait;

use crate::domain::{
    error::Result,
    id::{HubUserId, Position, TenantId},
};

/// The stored cursors of poll readers that keep none themselves.
#[async_trait]
pub trait Cursors: Send + Sync {
    /// Returns the cursor of this reader; `None` if it has never read.
    async fn load(&self, tenant: TenantId, user: &HubUserId, reader: &str) -> Result<Option<Position>>;

    /// Stores the cursor of this reader.
    async fn store(&self, tenant: TenantId, user: &HubUserId, reader: &str, at: Position) -> Result<()>;
}
