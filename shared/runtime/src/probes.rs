//! The probes of every program: `GET /livez` (whether it has to be restarted), `GET /readyz` (whether its
//! parts work), and `GET /metrics`.

mod parts;
mod scrape;

use axum::{
    Json, Router,
    extract::State,
    routing::{any, get},
};
use messenger_core::Error;
use serde_json::{Value, json};

use crate::{ApiError, App};

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", any(scrape::answer))
}

/// Answers 503 only if nothing but a restart helps.
async fn alive(State(app): State<App>) -> Result<&'static str, ApiError> {
    if app.has_broker_ended() {
        let detail = "the broker has ended, so streams get no events: restart the process".into();
        return Err(Error::Unavailable { code: "broker_ended", detail }.into());
    }
    Ok("alive")
}

async fn ready(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    let parts = parts::check_all(&app).await;
    let report = app.readiness.report(parts, app.messenger.operations().now());
    match report.failure {
        None => Ok(Json(json!({ "status": "ready", "parts": report.parts }))),
        // A router asks each second: the log has the begin of a failure, not each answer.
        Some(error) => {
            let error = ApiError::with_member(error, "parts", report.parts);
            Err(if report.is_known || app.shutdown.is_draining() { error.known() } else { error })
        }
    }
}
