//! Polling: a page of the event log, for clients that cannot hold a stream open.
//!
//! ```text
//! GET /api/v1/events/poll?token=&cursor=&client=&wait=
//! ```

use axum::{
    Router,
    extract::{RawQuery, State},
    http::header::CONTENT_TYPE,
    response::IntoResponse,
    routing::get,
};
use messenger_core::cursor::Since;
use messenger_runtime::{ApiError, App, caller::AuthenticatedByUrl, fields::Fields};
use tracing::instrument;

/// Longest name of a reader, in characters.
const CLIENT_MAX: usize = 100;
/// Longest wait of a long poll, in seconds.
const WAIT_MAX: u32 = 25;

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new().route("/api/v1/events/poll", get(poll))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn poll(
    State(app): State<App>,
    AuthenticatedByUrl(caller): AuthenticatedByUrl,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, ApiError> {
    let mut fields = Fields::from_query(query.as_deref());
    let wait = fields.seconds("wait", 0, WAIT_MAX);
    let client = fields.optional_name("client", CLIENT_MAX).unwrap_or_default();
    let cursor = fields.optional_text("cursor", CLIENT_MAX).filter(|cursor| !cursor.is_empty());
    let since = cursor.map_or(Since::Reader(client), Since::Cursor);
    fields.finish()?;
    let _slot = if wait.is_zero() { None } else { Some(app.limits.waiting_poll(&caller)?) };
    let page = app.with_broker().streams().poll(&caller, &since, wait).await?;
    let headers =
        [(CONTENT_TYPE.as_str(), "application/json".to_owned()), ("X-Next-Cursor", page.cursor.to_string())];
    Ok((headers, page.json()))
}
