//! The probes of every function: `GET /livez` (the process runs) and `GET /readyz` (it reaches the database).

use std::time::Duration;

use axum::{Router, extract::State, routing::get};
use messenger_core::{
    Error, Messenger,
    error::{Failure, System},
};
use tokio::time::timeout;

use crate::{ApiError, App};

/// Time limit of the check, so that the answer comes within a second.
const PATIENCE: Duration = Duration::from_millis(800);

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/livez", get(|| async { "alive" })).route("/readyz", get(ready))
}

async fn ready(State(messenger): State<Messenger>) -> Result<&'static str, ApiError> {
    let answer = timeout(PATIENCE, messenger.operations().check_database()).await;
    answer
        .map_err(|late| Error::fault(System::Database, Failure::TimedOut, "checking readiness", late))??;
    Ok("ready")
}
