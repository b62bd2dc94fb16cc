//! Polling: a page of the event log, for clients that cannot hold a stream open.
//!
//! ```text
//! GET /api/v1/events/poll?token=&cursor=&client=&wait=
//! ```

use std::time::Duration;

use axum::{
    extract::{RawQuery, State},
    http::header::CONTENT_TYPE,
    response::IntoResponse,
};
use messenger_core::{Result, cursor::Since};
use messenger_runtime::{
    ApiError, App, EndsBy, Routes,
    caller::AuthenticatedByUrl,
    fields::Fields,
    openapi::{Caller, Operation, PolledEvent, ResponseObject, code},
};
use serde_json::json;
use tracing::instrument;

/// Longest name of a reader, in characters.
const CLIENT_MAX: usize = 100;
/// Longest wait of a long poll, in seconds.
const WAIT_MAX: u32 = 25;

/// Returns the routes of this function.
pub fn routes() -> Routes {
    let cursor = json!({ "type": "string" });
    let page = ResponseObject::json::<Vec<PolledEvent>>(200, "The events after the cursor, oldest first.")
        .header("X-Next-Cursor", cursor, "The cursor of the next poll.");
    Routes::new("Events", "The live events of a user, by stream or by poll").declare(
        Operation::get("/api/v1/events/poll", poll, "pollEvents", "Returns the events after a cursor")
            .caller(Caller::UserByUrl)
            .query(query)
            .refuses(&[code::NOT_READY])
            .answer(page),
    )
}

/// The query of a poll, parsed.
struct Query {
    since: Since,
    wait: Duration,
}

fn query(mut fields: Fields) -> Result<Query> {
    let wait = fields.seconds("wait", 0, WAIT_MAX);
    let client = fields.optional_name("client", CLIENT_MAX).unwrap_or_default();
    let cursor = fields.optional_text("cursor", CLIENT_MAX).filter(|cursor| !cursor.is_empty());
    fields.finish()?;
    Ok(Query { since: cursor.map_or(Since::Reader(client), Since::Cursor), wait })
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn poll(
    State(app): State<App>,
    AuthenticatedByUrl(caller): AuthenticatedByUrl,
    ends_by: EndsBy,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, ApiError> {
    let Query { since, wait } = self::query(Fields::from_query(query.as_deref()))?;
    let _slot = if wait.is_zero() { None } else { Some(app.limits.waiting_poll(&caller)?) };
    let page = app.with_broker().streams().poll(&caller, &since, ends_by.limit(wait)).await?;
    let headers =
        [(CONTENT_TYPE.as_str(), "application/json".to_owned()), ("X-Next-Cursor", page.cursor.to_string())];
    Ok((headers, page.json()))
}
