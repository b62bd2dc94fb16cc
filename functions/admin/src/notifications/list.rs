//! `GET /api/v1/admin/notifications`: a page of notifications, as JSON or as CSV.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, header::ACCEPT},
    response::{IntoResponse as _, Response},
};
use messenger_core::{
    Error, Result,
    admin::notifications::{NotificationFilter, NotificationPage},
    error::Problem,
    id::NotificationId,
    time::Rfc3339,
};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    fields::Fields,
    negotiation::accepts,
    openapi::{Caller, Operation, ResponseObject},
};
use serde_json::json;

use crate::page::NEXT_CURSOR;

use super::{
    csv,
    filter::filter,
    response::{AdminNotification, AdminNotifications},
};

const LIMIT: i64 = 50;
const LIMIT_MAX: i64 = 200;
/// The default and the largest number of rows as CSV.
const CSV_LIMIT_MAX: i64 = 10_000;
const LIMIT_RANGES: &str = "from 1 to 200; as CSV from 1 to 10000";

/// The query, parsed.
struct ListQuery {
    filter: NotificationFilter,
    before: Option<NotificationId>,
    limit: Option<i64>,
    format: Option<&'static str>,
}

/// Declares the operation.
pub(crate) fn operation() -> Operation {
    let summary = "Finds notifications, newest first, as JSON or CSV";
    let answer = ResponseObject::json::<AdminNotifications>(200, "A page of notifications.")
        .or_media(&["text/csv"])
        .optional_header(NEXT_CURSOR, json!({ "type": "integer" }), "The `cursor` for older rows of CSV.");
    Operation::get("/api/v1/admin/notifications", list, "findNotifications", summary)
        .caller(Caller::Administrator)
        .query(query)
        .answer(answer)
}

fn query(mut fields: Fields) -> Result<ListQuery> {
    let query = ListQuery {
        filter: filter(&mut fields),
        before: fields.optional_number("cursor", 1, i64::MAX).map(NotificationId),
        limit: fields.optional_number_as("limit", 1, CSV_LIMIT_MAX, LIMIT_RANGES),
        format: fields.one_of("format", &["json", "csv"], Problem::INVALID),
    };
    fields.finish()?;
    Ok(query)
}

async fn list(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = self::query(Fields::from_query(query.as_deref()))?;
    let is_csv =
        query.format.map_or_else(|| accepts(&headers, &ACCEPT, "text/csv"), |format| format == "csv");
    let limit = match query.limit {
        Some(limit) if !is_csv && limit > LIMIT_MAX => {
            let message = format!("must be a whole number {LIMIT_RANGES}, is `{limit}`");
            return Err(Error::invalid("?limit", message).into());
        }
        Some(limit) => limit,
        None if is_csv => CSV_LIMIT_MAX,
        None => LIMIT,
    };
    let notifications = app.administration()?.notifications();
    let page = notifications.page(&administrator, &query.filter, query.before, limit).await?;
    if is_csv { Ok(csv::response(&page)?) } else { Ok(Json(AdminNotifications::from(page)).into_response()) }
}

impl From<NotificationPage> for AdminNotifications {
    fn from(page: NotificationPage) -> Self {
        Self {
            notifications: page.notifications.into_iter().map(AdminNotification::from).collect(),
            next_cursor: page.next.map(|next| next.0),
            searched_until: page.searched_until.map(Rfc3339),
        }
    }
}
