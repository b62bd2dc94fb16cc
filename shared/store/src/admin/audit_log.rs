//! The audit log.

use std::net::{IpAddr, Ipv4Addr};

use async_trait::async_trait;
use messenger_core::{
    Result,
    admin::{AuditEntry, AuditQuery},
    id::{HubUserId, TenantId},
    port::AuditLog,
};
use tokio_postgres::Row;

use crate::PgStore;

const ENTRIES: &str = "select id, at, tenant_id, actor, action, subject, before, after, address, request_id
    from audit_log
    where tenant_id between $1 and $1 and id < coalesce($2, 9223372036854775807)
      and ($3::text is null or actor = $3) and ($4::text is null or action = $4)
      and ($5::text is null or subject = $5)
    order by tenant_id desc, id desc limit $6";

#[async_trait]
impl AuditLog for PgStore {
    async fn entries(&self, tenant: TenantId, query: &AuditQuery) -> Result<Vec<AuditEntry>> {
        let AuditQuery { actor, action, subject, before, limit } = query;
        let rows = self
            .database
            .query("reading the audit log", ENTRIES, &[&tenant.0, before, actor, action, subject, limit])
            .await?;
        Ok(rows.iter().map(entry).collect())
    }
}

fn entry(row: &Row) -> AuditEntry {
    let address: &str = row.get(8);
    AuditEntry {
        id: row.get(0),
        at: row.get(1),
        tenant: TenantId(row.get(2)),
        actor: HubUserId::new(row.get::<_, String>(3)),
        action: row.get(4),
        subject: row.get(5),
        before: row.get(6),
        after: row.get(7),
        address: address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        request_id: row.get(9),
    }
}
