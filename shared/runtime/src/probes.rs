//! Every function's answers to whoever runs it: `GET /livez` (the process runs) and `GET /readyz` (it can work).

use std::time::Duration;

use axum::{Router, extract::State, routing::get};
use messenger_core::{
    Error, Messenger,
    error::{Failure, System},
};
use tokio::time::timeout;

use crate::{ApiError, App};

/// The answer comes within a second, whatever hangs.
const PATIENCE: Duration = Duration::from_millis(800);

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/livez", get(|| async { "alive" })).route("/readyz", get(ready))
}

async fn ready(State(messenger): State<Messenger>) -> Result<&'static str, ApiError> {
    let answer = timeout(PATIENCE, messenger.operations().check_database()).await;
    answer.map_err(|late| {
        Error::fault(System::Database, Failure::TimedOut, "looking whether all is ready", late)
    })??;
    Ok("ready")
}
