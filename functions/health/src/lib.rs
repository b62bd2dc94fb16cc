//! The health of the service: whether it reaches the database and the homeserver.
//!
//! ```text
//! GET /api/v1/health
//! ```

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use messenger_runtime::{
    App, Routes,
    openapi::{Operation, ResponseObject},
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

/// Time limit of each check, so that the answer comes within a second.
const PATIENCE: Duration = Duration::from_millis(800);

/// Returns the routes of this function.
pub fn routes() -> Routes {
    Routes::new("Health", "Whether the service reaches its database and its homeserver").declare(
        Operation::get("/api/v1/health", health, "getHealth", "Returns the health of the service")
            .answer(ResponseObject::json::<Health>(200, "The database is reached."))
            .answer(ResponseObject::json::<Health>(503, "The database is not reached.")),
    )
}

/// The health of the service. `conduit` is any homeserver: `docs/integration.md` defines that name.
#[derive(Serialize, JsonSchema)]
struct Health {
    #[schemars(extend("enum" = ["healthy", "degraded", "unhealthy"]))]
    status: &'static str,
    #[schemars(extend("const" = "messenger-service"))]
    service: &'static str,
    #[schemars(extend("enum" = ["reachable", "unreachable"]))]
    conduit: &'static str,
    #[schemars(extend("enum" = ["reachable", "unreachable"]))]
    database: &'static str,
    version: &'static str,
}

async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let operations = app.messenger.operations();
    let (database, feed, homeserver) = tokio::join!(
        timeout(PATIENCE, operations.check_database()),
        timeout(PATIENCE, check_copy(&app)),
        timeout(PATIENCE, operations.check_homeserver())
    );
    let [database, feed, homeserver] = [database, feed, homeserver].map(|it| matches!(it, Ok(Ok(()))));
    let (code, status) = match (database, homeserver && feed) {
        (true, true) => (StatusCode::OK, "healthy"),
        (true, false) => (StatusCode::OK, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
    };
    let reachable = |it: bool| if it { "reachable" } else { "unreachable" };
    let health = Health {
        status,
        service: "messenger-service",
        conduit: reachable(homeserver),
        database: reachable(database),
        version: env!("CARGO_PKG_VERSION"),
    };
    (code, Json(health))
}

/// Checks the copy of the event log. Without one, the log is in the database.
async fn check_copy(app: &App) -> messenger_core::Result<()> {
    if app.reads_copy() { app.messenger.operations().check_feed().await } else { Ok(()) }
}
