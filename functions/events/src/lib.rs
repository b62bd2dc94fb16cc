//! The feed as it happens: long-lived Server-Sent Events (WHATWG HTML, "Server-sent events").
//!
//! ```text
//! GET /api/v1/events/stream?token=&last_event_id=
//! ```

use axum::{
    Router,
    body::Body,
    extract::{RawQuery, State},
    http::{
        HeaderMap,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::IntoResponse,
    routing::get,
};
use messenger_runtime::{App, Failed, caller::UrlCaller, fields::query_value};

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/events/stream", get(stream))
}

async fn stream(
    State(app): State<App>,
    UrlCaller(caller): UrlCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Failed> {
    let in_header =
        headers.get("last-event-id").map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned());
    let cursor = in_header.or_else(|| query_value(query.as_deref(), "last_event_id"));
    let slot = app.limits.stream(&caller)?;
    let follower = app.following().follow(&caller, cursor.as_deref()).await?;
    let headers = [
        (CONTENT_TYPE.as_str(), "text/event-stream"),
        (CACHE_CONTROL.as_str(), "no-store"),
        ("X-Accel-Buffering", "no"),
    ];
    Ok((headers, Body::from_stream(slot.around(follower))))
}
