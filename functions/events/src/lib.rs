//! The feed as it happens: long-lived Server-Sent Events (WHATWG HTML, "Server-sent events"), and the ES module by
//! which pages follow it.
//!
//! ```text
//! GET /api/v1/events/stream?token=&last_event_id=
//! GET /client/hub-messenger.js
//! GET /client/hub-messenger.d.ts
//! ```

mod client;
mod position;

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
use messenger_runtime::{ApiError, App, caller::UrlCaller};

use self::position::last_event_id;

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/events/stream", get(stream)).merge(client::routes())
}

async fn stream(
    State(app): State<App>,
    UrlCaller(caller): UrlCaller,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let cursor = last_event_id(&headers, query.as_deref());
    let slot = app.limits.stream(&caller)?;
    let event_stream = app.following().streams().subscribe(&caller, cursor.as_deref()).await?;
    let headers = [
        // Some clients take text without a charset for Latin-1 and lose what that does not have.
        (CONTENT_TYPE.as_str(), "text/event-stream; charset=utf-8"),
        // Compressing middleware holds back what it may transform.
        (CACHE_CONTROL.as_str(), "no-store, no-transform"),
        ("X-Accel-Buffering", "no"),
    ];
    Ok((headers, Body::from_stream(slot.around(event_stream))))
}
