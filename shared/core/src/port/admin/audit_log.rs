//! The port of the audit log.

use async_trait::async_trait;

use crate::domain::{
    admin::{AuditEntry, AuditQuery},
    error::Result,
    id::TenantId,
};

/// The audit log. The methods of the other administration ports append to it, in the transaction of the act.
/// No entry is ever changed or deleted.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Returns entries of a tenant, newest first.
    async fn entries(&self, tenant: TenantId, query: &AuditQuery) -> Result<Vec<AuditEntry>>;
}
