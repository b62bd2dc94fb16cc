//! `GET /api/v1/admin/audit`: the acts of administrators.

use axum::{
    Json,
    extract::{RawQuery, State},
};
use messenger_core::{
    Result,
    admin::{AuditEntry, AuditQuery},
    id::{HubUserId, TenantId},
    time::Rfc3339,
};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    fields::Fields,
    openapi::{Caller, Operation, ResponseObject},
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::page;

/// Longest text of a filter, in characters.
const FILTER_MAX: usize = 255;

/// Entries of the audit log, newest first.
#[derive(Serialize, JsonSchema)]
struct AuditLog {
    entries: Vec<ListedEntry>,
    /// The value of `before` for the next entries; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<i64>,
}

/// An act of an administrator.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEntry")]
struct ListedEntry {
    id: i64,
    at: Rfc3339,
    tenant_id: TenantId,
    actor: HubUserId,
    action: String,
    subject: String,
    before: Option<Value>,
    after: Option<Value>,
    address: String,
    request_id: Option<String>,
}

/// Declares the operation.
pub(crate) fn operation() -> Operation {
    let summary = "Lists the acts of administrators, newest first";
    Operation::get("/api/v1/admin/audit", audit, "listAuditEntries", summary)
        .caller(Caller::Administrator)
        .query(query)
        .answer(ResponseObject::json::<AuditLog>(200, "The entries."))
}

fn query(mut fields: Fields) -> Result<AuditQuery> {
    let query = AuditQuery {
        actor: fields.optional_name("actor", FILTER_MAX),
        action: fields.optional_name("action", FILTER_MAX),
        subject: fields.optional_name("subject", FILTER_MAX),
        before: fields.optional_number("before", 1, i64::MAX),
        limit: fields.number("limit", 50, 1, 200),
    };
    fields.finish()?;
    Ok(query)
}

async fn audit(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditLog>, ApiError> {
    let query = self::query(Fields::from_query(query.as_deref()))?;
    let entries = app.administration()?.audit().entries(&administrator, &query).await?;
    let next_before = page::last_if_full(&entries, query.limit).map(|last| last.id);
    Ok(Json(AuditLog { entries: entries.into_iter().map(ListedEntry::from).collect(), next_before }))
}

impl From<AuditEntry> for ListedEntry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: Rfc3339(entry.at),
            tenant_id: entry.tenant,
            actor: entry.actor,
            action: entry.action,
            subject: entry.subject,
            before: entry.before,
            after: entry.after,
            address: entry.address.to_string(),
            request_id: entry.request_id,
        }
    }
}
