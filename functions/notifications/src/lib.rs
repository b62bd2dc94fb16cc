//! Notifications of satellites.
//!
//! ```text
//! POST /api/v1/notifications/send     stores and delivers a notification
//! GET  /api/v1/notifications/log      the tenant's notifications, newest first
//! GET  /api/v1/notifications/{id}     one notification
//! ```

mod request;
mod response;

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use messenger_core::{Error, Messenger, id::NotificationId};
use messenger_runtime::{
    ApiError, App,
    caller::{Sending, ServiceCaller},
    fields::{Fields, JsonBody},
    traces::RequestOrigin,
};

use crate::{
    request::{log_query, send_request},
    response::{Log, Notification},
};

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/notifications/send", post(send))
        .route("/api/v1/notifications/log", get(log))
        .route("/api/v1/notifications/{id}", get(one))
}

async fn send(
    State(messenger): State<Messenger>,
    Sending(ServiceCaller(satellite)): Sending<ServiceCaller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    RequestOrigin(origin): RequestOrigin,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let request = send_request(&satellite, query.as_deref(), &headers, origin, body)?;
    let result = messenger.notifications().notify(satellite, request.draft, request.options).await?;
    let mut headers = HeaderMap::new();
    if result.replayed {
        headers.insert("Idempotent-Replayed", HeaderValue::from_static("true"));
    }
    let body = Notification::new(result.notification).warning(request.warnings);
    Ok((StatusCode::CREATED, headers, Json(body)))
}

async fn log(
    State(messenger): State<Messenger>,
    ServiceCaller(satellite): ServiceCaller,
    RawQuery(query): RawQuery,
) -> Result<Json<Log>, ApiError> {
    let query = log_query(Fields::from_query(query.as_deref()))?;
    let notifications = messenger.notifications().log(&satellite, &query).await?;
    Ok(Json(Log { notifications: notifications.into_iter().map(Notification::new).collect() }))
}

async fn one(
    State(messenger): State<Messenger>,
    ServiceCaller(satellite): ServiceCaller,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Notification>, ApiError> {
    // A text that is no number names no notification.
    let Path(id) = id.map_err(|_| Error::NotFound("notification"))?;
    Ok(Json(Notification::new(messenger.notifications().find(&satellite, NotificationId(id)).await?)))
}
