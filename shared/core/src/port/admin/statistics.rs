//! The port of the figures of a tenant.

use async_trait::async_trait;

use crate::domain::{admin::TenantFigures, error::Result, id::TenantId};

/// The figures of tenants, and the event streams of the processes of which they consist.
#[async_trait]
pub trait AdminStatistics: Send + Sync {
    /// Returns the figures of a tenant. Costs one statement.
    async fn figures(&self, tenant: TenantId) -> Result<TenantFigures>;

    /// Stores the number of open event streams of a process, by tenant. It counts for a minute.
    async fn report_streams(&self, process: &str, streams: &[(TenantId, i64)]) -> Result<()>;
}
