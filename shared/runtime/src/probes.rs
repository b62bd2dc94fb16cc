//! Every function's answers to whoever runs it: `GET /livez` (the process runs) and `GET /readyz` (it can work).

use std::time::Duration;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use messenger_core::Hub;
use tokio::time::timeout;

use crate::App;

/// The answer comes within a second, whatever hangs.
const PATIENCE: Duration = Duration::from_millis(800);

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/livez", get(|| async { "alive" })).route("/readyz", get(ready))
}

async fn ready(State(hub): State<Hub>) -> (StatusCode, &'static str) {
    match timeout(PATIENCE, hub.ports().feed.span()).await {
        Ok(Ok(_)) => (StatusCode::OK, "ready"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be reached"),
    }
}
