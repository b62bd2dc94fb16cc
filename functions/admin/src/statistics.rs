//! `GET /api/v1/admin/stats`: the figures of a tenant.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use jiff::Timestamp;
use messenger_core::{
    admin::{HomeserverState, TenantFigures},
    time::{Rfc3339, rfc3339_or_null},
};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    openapi::{Caller, Operation, ResponseObject},
};
use schemars::JsonSchema;
use serde::Serialize;

/// The figures of a tenant. `conduit` is any homeserver: `docs/integration.md` defines that name.
#[derive(Serialize, JsonSchema)]
struct Statistics {
    total_users: i64,
    provisioned_users: i64,
    rooms_by_type: RoomsByType,
    messages: i64,
    /// The open event streams in all processes.
    sse_connections: i64,
    #[schemars(extend("enum" = ["online", "offline"]))]
    conduit_status: &'static str,
    homeserver: Homeserver,
    queue: Queue,
    failures: Failures,
    /// The notifications of each of the last sixty minutes, oldest first.
    #[schemars(length(min = 60, max = 60))]
    sends_per_minute: Vec<i64>,
    version: &'static str,
}

/// The number of rooms of each type.
#[derive(Serialize, JsonSchema)]
struct RoomsByType {
    general: i64,
    dm: i64,
    entity: i64,
    service: i64,
    custom: i64,
}

/// The homeserver, as this process sees it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HomeserverStatus")]
struct Homeserver {
    #[schemars(extend("enum" = ["online", "offline"]))]
    status: &'static str,
    /// Since when; `null` if this process has seen no change.
    #[serde(serialize_with = "rfc3339_or_null")]
    #[schemars(with = "Option<Rfc3339>")]
    since: Option<Timestamp>,
}

/// The notifications that are still to be delivered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeliveryQueue")]
struct Queue {
    /// Those that can be delivered.
    pending: i64,
    /// Those that are held until their recipient signs in.
    held: i64,
    /// The age of the oldest one that can be delivered; `null` if there is none.
    oldest_seconds: Option<f64>,
    /// The room queues with one that can be delivered.
    queues: i64,
}

/// The notifications that were not delivered.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeliveryFailures")]
struct Failures {
    failed_24h: i64,
    expired_24h: i64,
    /// Both by their reason.
    by_reason: BTreeMap<String, i64>,
}

/// Declares the operation.
pub(crate) fn operation() -> Operation {
    Operation::get("/api/v1/admin/stats", statistics, "getStatistics", "Returns the figures of the tenant")
        .caller(Caller::Administrator)
        .answer(ResponseObject::json::<Statistics>(200, "The figures of this moment."))
}

async fn statistics(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
) -> Result<Json<Statistics>, ApiError> {
    let (figures, homeserver) = app.administration()?.statistics().read(&administrator).await?;
    Ok(Json(Statistics::of(figures, homeserver)))
}

impl Statistics {
    fn of(figures: TenantFigures, homeserver: HomeserverState) -> Self {
        let rooms = |kind: &str| figures.rooms.get(kind).copied().unwrap_or_default();
        let status = if homeserver.is_online { "online" } else { "offline" };
        Self {
            total_users: figures.users,
            provisioned_users: figures.provisioned_users,
            rooms_by_type: RoomsByType {
                general: rooms("general"),
                dm: rooms("dm"),
                entity: rooms("entity"),
                service: rooms("service"),
                custom: rooms("custom"),
            },
            messages: figures.messages,
            sse_connections: figures.sse_connections,
            conduit_status: status,
            homeserver: Homeserver { status, since: homeserver.since },
            queue: Queue {
                pending: figures.pending,
                held: figures.held,
                oldest_seconds: figures.oldest_pending.map(|age| age.as_secs_f64()),
                queues: figures.queues,
            },
            failures: Failures {
                failed_24h: figures.failed,
                expired_24h: figures.expired,
                by_reason: figures.by_reason,
            },
            sends_per_minute: figures.sends_per_minute,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
