//! Describes this service to programs that ask for `/`.

use axum::{
    Json,
    http::header::VARY,
    response::{IntoResponse, Response},
};
use messenger_runtime::App;
use serde_json::json;

/// Answers with the addresses of the service.
pub(crate) fn respond(app: &App) -> Response {
    let base = &app.config.serving.base_path;
    let summary = json!({
        "service": "messenger-service",
        "version": env!("CARGO_PKG_VERSION"),
        "api": format!("{base}/api/v1"),
        "health": format!("{base}/api/v1/health"),
        "probes": [format!("{base}/livez"), format!("{base}/readyz")],
        "documentation": "README.md",
        "docs": format!("{base}/docs"),
        "openapi": format!("{base}/openapi.json"),
    });
    ([(VARY, "Accept")], Json(summary)).into_response()
}
