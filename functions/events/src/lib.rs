//! The event log as a long-lived event stream (WHATWG HTML, "Server-sent events"), and the ES module for
//! pages that read it.
//!
//! ```text
//! GET /api/v1/events/stream?token=&last_event_id=
//! GET /client/hub-messenger.js
//! GET /client/hub-messenger.d.ts
//! ```

mod client;
mod position;

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{
        HeaderMap,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::IntoResponse,
};
use messenger_runtime::{
    ApiError, App, EndsBy, Routes,
    caller::AuthenticatedByUrl,
    openapi::{Caller, Operation, ResponseObject, StreamedEvent, code},
};
use serde_json::json;
use tracing::instrument;

use self::position::last_event_id;

/// Returns the routes of this function.
pub fn routes() -> Routes {
    let id = json!({ "type": "string" });
    let no_buffer = json!({ "const": "no" });
    let events = ResponseObject::events::<StreamedEvent>(
        "Server-sent events; the `data` of each is one line of JSON.",
    )
    .header("X-Accel-Buffering", no_buffer, "Proxies must not hold events back.");
    Routes::new("Events", "The live events of a user, by stream or by poll")
        .declare(
            Operation::get(
                "/api/v1/events/stream",
                stream,
                "streamEvents",
                "Streams the events after a position",
            )
            .caller(Caller::UserByUrl)
            .parameter("header", "Last-Event-ID", id.clone(), "The last event that the reader has.")
            .parameter("query", "last_event_id", id, "The same, for readers that cannot set headers.")
            .refuses(&[code::NOT_READY])
            .answer(events),
        )
        .merge(client::routes())
}

/// Opens a stream. Its span ends with the head of the response, so events cost none.
#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn stream(
    State(app): State<App>,
    AuthenticatedByUrl(caller): AuthenticatedByUrl,
    ends_by: EndsBy,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    let cursor = last_event_id(&headers, query.as_deref());
    let slot = app.limits.stream(&caller)?;
    let event_stream = app.with_broker().streams().subscribe(&caller, cursor.as_deref()).await?;
    let headers = [
        // Some clients read text without a charset as Latin-1.
        (CONTENT_TYPE.as_str(), "text/event-stream; charset=utf-8"),
        // Compressing middleware would buffer events.
        (CACHE_CONTROL.as_str(), "no-store, no-transform"),
        ("X-Accel-Buffering", "no"),
    ];
    Ok((headers, Body::from_stream(slot.around(ends_by.around(event_stream)))))
}
