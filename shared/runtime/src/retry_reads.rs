//! Repeats a read whose connection to the database broke, as while PostgreSQL restarts.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody as _},
    extract::Request,
    middleware::Next,
    response::Response,
};
use http::Method;

use crate::ApiError;

/// Runs a request, and runs it once more if the database was lost and the method is safe (RFC 9110, 9.2.1).
/// The pool waits for the database, so no pause is needed here.
pub(crate) async fn retry_reads(request: Request, next: Next) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD) && request.body().is_end_stream();
    if !is_read {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let repetition = Request::from_parts(parts.clone(), Body::empty());
    let response = next.clone().run(Request::from_parts(parts, body)).await;
    let error = response.extensions().get::<Arc<ApiError>>();
    if error.is_some_and(|error| error.is_database_lost()) {
        tracing::debug!("the connection to the database broke: the read is repeated");
        return next.run(repetition).await;
    }
    response
}
