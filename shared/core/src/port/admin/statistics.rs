//! The port of the figures of a tenant.

use async_trait::async_trait;

use crate::domain::{
    admin::{SendingApp, TenantFigures},
    error::Result,
    id::TenantId,
};

/// The figures of tenants, and the event streams of the processes of which they consist.
#[async_trait]
pub trait AdminStatistics: Send + Sync {
    /// Returns the figures of a tenant. Costs one statement.
    async fn figures(&self, tenant: TenantId) -> Result<TenantFigures>;

    /// Returns the apps that have sent notifications to a tenant, by name, at most 500. Costs a probe of an index
    /// for each app.
    async fn apps(&self, tenant: TenantId) -> Result<Vec<SendingApp>>;

    /// Returns the tenants that have users, in ascending order, at most 1000. Costs a probe of an index for each.
    async fn tenants(&self) -> Result<Vec<TenantId>>;

    /// Stores the number of open event streams of a process, by tenant. It counts for a minute.
    async fn report_streams(&self, process: &str, streams: &[(TenantId, i64)]) -> Result<()>;
}
