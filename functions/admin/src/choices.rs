//! `GET /api/v1/admin/tenants` and `/apps`: the tenants and sending apps among which an administrator chooses.

use axum::{Json, extract::State};
use messenger_core::{
    admin::SendingApp,
    id::{NotificationId, TenantId},
    time::Rfc3339,
};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    openapi::{Caller, Operation, ResponseObject},
};
use schemars::JsonSchema;
use serde::Serialize;

/// The tenants of an administrator.
#[derive(Serialize, JsonSchema)]
struct AdministeredTenants {
    /// The administered tenant: without `?tenant_id=` the administrator's own one.
    tenant_id: TenantId,
    /// Whether the administrator is a super administrator, who may name another one.
    may_choose: bool,
    /// Those that have users, in ascending order; for other administrators their own one.
    tenants: Vec<TenantId>,
}

/// An app that has sent notifications.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SendingApp")]
struct ListedApp {
    source_app: String,
    last_notification_id: NotificationId,
    last_sent_at: Rfc3339,
}

/// Declares the list of tenants.
pub(crate) fn tenants_operation() -> Operation {
    let summary = "Lists the tenants that the caller may administer";
    Operation::get("/api/v1/admin/tenants", tenants, "listAdministeredTenants", summary)
        .caller(Caller::Administrator)
        .answer(ResponseObject::json::<AdministeredTenants>(200, "The tenants."))
}

/// Declares the list of apps.
pub(crate) fn apps_operation() -> Operation {
    let summary = "Lists the apps that have sent notifications to the tenant, by name";
    Operation::get("/api/v1/admin/apps", apps, "listSendingApps", summary)
        .caller(Caller::Administrator)
        .answer(ResponseObject::json::<Vec<ListedApp>>(200, "The apps, at most 500."))
}

async fn tenants(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
) -> Result<Json<AdministeredTenants>, ApiError> {
    let tenants = app.administration()?.statistics().tenants(&administrator).await?;
    let (tenant_id, may_choose) = (administrator.tenant, administrator.is_super);
    Ok(Json(AdministeredTenants { tenant_id, may_choose, tenants }))
}

async fn apps(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
) -> Result<Json<Vec<ListedApp>>, ApiError> {
    let apps = app.administration()?.statistics().apps(&administrator).await?;
    Ok(Json(apps.into_iter().map(ListedApp::from).collect()))
}

impl From<SendingApp> for ListedApp {
    fn from(app: SendingApp) -> Self {
        Self { source_app: app.name, last_notification_id: app.last, last_sent_at: Rfc3339(app.last_at) }
    }
}
