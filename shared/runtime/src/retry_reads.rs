//! Repeats a read whose connection to the database broke, as while PostgreSQL restarts.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody as _},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use tokio::time::{Instant, sleep};

use crate::ApiError;

/// The pause after which the pool has noticed that its other connections broke, too.
const PAUSE: Duration = Duration::from_millis(50);

/// Runs a request. Runs it again while the database is lost, within the time limit of connecting, if the method is
/// safe (RFC 9110, 9.2.1).
pub(crate) async fn retry_reads(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream();
    if !is_read {
        return next.run(request).await;
    }
    let deadline = Instant::now() + limit;
    let (parts, _) = request.into_parts();
    loop {
        let response = next.clone().run(Request::from_parts(parts.clone(), Body::empty())).await;
        let error = response.extensions().get::<Arc<ApiError>>();
        if !error.is_some_and(|error| error.is_database_lost()) || Instant::now() + PAUSE >= deadline {
            return response;
        }
        sleep(PAUSE).await;
    }
}
