//! Reads the audit log.

use std::sync::Arc;

use crate::{
    domain::{
        admin::{Administrator, AuditEntry, AuditQuery},
        error::Result,
    },
    port::{self, AdminPorts},
};

/// The engine that reads the audit log.
pub struct Audit {
    log: Arc<dyn port::AuditLog>,
}

impl Audit {
    pub(crate) fn new(ports: &AdminPorts) -> Self {
        Self { log: ports.audit_log.clone() }
    }

    /// Returns entries of the administered tenant, newest first.
    #[tracing::instrument(level = "debug", skip_all, fields(tenant = %administrator.tenant))]
    pub async fn entries(
        &self,
        administrator: &Administrator,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>> {
        self.log.entries(administrator.tenant, query).await
    }
}
