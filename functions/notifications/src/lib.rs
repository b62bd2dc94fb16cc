//! Notifications: acceptance from satellites, and the inbox of their readers.
//!
//! ```text
//! POST /api/v1/notifications/send     stores and delivers a notification
//! POST /api/v1/notifications/batch    stores several notifications
//! GET  /api/v1/notifications/log      the tenant's notifications, newest first
//! GET  /api/v1/notifications/inbox    the caller's notifications, newest first
//! POST /api/v1/notifications/inbox/read     marks notifications of the caller as read
//! GET  /api/v1/notifications/{id}     one notification
//! GET  /api/v1/notifications/{id}/deliveries     the attempts to deliver it
//! POST /api/v1/notifications/{id}/ack | resolve | comment     acts on the alarm of a notification
//! ```

mod acts;
mod alarm_input;
mod batch;
mod inbox;
mod request;
mod response;

use axum::{
    Json,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::IntoResponse,
};
use jiff::Timestamp;
use messenger_core::{
    Error, Messenger,
    id::NotificationId,
    notification::{SendOptions, SendResult},
};
use messenger_runtime::{
    ApiError, EndsBy, Routes,
    caller::{Sending, ServiceCaller},
    fields::{Fields, JsonBody},
    notifications::{Deliveries, Notification},
    openapi::{Caller, Operation, ResponseObject, code},
    traces::RequestOrigin,
};
use serde_json::json;

use crate::{
    alarm_input::{skew, warning},
    request::{KEY_MAX, log_query, send_body, send_request, wait},
    response::Log,
};

/// Returns the routes of this function.
pub fn routes() -> Routes {
    Routes::new("Notifications", "Notifications of satellites, and the inbox of their readers")
        .declare(send_operation())
        .declare(batch::operation())
        .declare(
            Operation::get(
                "/api/v1/notifications/log",
                log,
                "listNotifications",
                "Returns the notifications of the tenant, newest first",
            )
            .caller(Caller::Satellite)
            .query(log_query)
            .answer(ResponseObject::json::<Log>(200, "A page of the log."))
            .refuses(&[code::DATABASE_UNAVAILABLE]),
        )
        .declare(
            Operation::get(
                "/api/v1/notifications/{id}",
                one,
                "getNotification",
                "Returns one notification of the tenant",
            )
            .caller(Caller::Satellite)
            .path_parameter(json!({ "type": "integer", "format": "int64" }))
            .answer(ResponseObject::json::<Notification>(200, "The notification."))
            .refuses(&[code::NOT_FOUND, code::DATABASE_UNAVAILABLE]),
        )
        .declare(
            Operation::get(
                "/api/v1/notifications/{id}/deliveries",
                deliveries,
                "getNotificationDeliveries",
                "Returns the attempts to deliver a notification of the tenant",
            )
            .caller(Caller::Satellite)
            .path_parameter(json!({ "type": "integer", "format": "int64" }))
            .answer(ResponseObject::json::<Deliveries>(200, "The attempts, oldest first."))
            .refuses(&[code::NOT_FOUND, code::DATABASE_UNAVAILABLE]),
        )
        .merge(acts::routes())
        .merge(inbox::routes())
}

fn send_operation() -> Operation {
    let key = json!({ "type": "string", "maxLength": KEY_MAX });
    let replayed = json!({ "const": "true" });
    let answer =
        ResponseObject::json::<Notification>(201, "The notification is stored and will be delivered.")
            .optional_header("Idempotent-Replayed", replayed, "The first call with this key stored it.");
    Operation::post(
        "/api/v1/notifications/send",
        send,
        "sendNotification",
        "Stores a notification and delivers it",
    )
    .caller(Caller::Satellite)
    .query(wait)
    .parameter("header", "Idempotency-Key", key, "A repeated call with the same key has the effect of one.")
    .json(|fields| send_body(fields, &HeaderMap::new()))
    .answer(answer)
    .refuses(&[
        code::TENANT_NOT_ALLOWED,
        code::IDEMPOTENCY_IN_FLIGHT,
        code::INVALID_TARGET,
        code::DEDUP_KEY_REQUIRED,
        code::IDEMPOTENCY_MISMATCH,
        code::DATABASE_UNAVAILABLE,
    ])
}

async fn send(
    State(messenger): State<Messenger>,
    Sending(ServiceCaller(satellite)): Sending<ServiceCaller>,
    ends_by: EndsBy,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    RequestOrigin(origin): RequestOrigin,
    body: JsonBody,
) -> Result<impl IntoResponse, ApiError> {
    let request = send_request(&satellite, query.as_deref(), &headers, origin, body)?;
    let options = SendOptions { wait: ends_by.limit(request.options.wait), ..request.options };
    let occurred_at = request.alarm.as_ref().and_then(|alarm| alarm.occurred_at);
    let notifications = messenger.notifications();
    let result = match request.alarm {
        Some(alarm) => notifications.report(satellite, request.draft, alarm, options).await?,
        None => notifications.notify(satellite, request.draft, options).await?,
    };
    let mut headers = HeaderMap::new();
    if result.replayed {
        headers.insert("Idempotent-Replayed", HeaderValue::from_static("true"));
    }
    Ok((StatusCode::CREATED, headers, Json(answer(result, occurred_at, request.warnings))))
}

/// Returns the answer to a sent notification.
fn answer(result: SendResult, occurred_at: Option<Timestamp>, mut warnings: Vec<String>) -> Notification {
    warnings.extend(skew(occurred_at, result.notification.created_at));
    warnings.extend(result.alarm.as_ref().and_then(|alarm| alarm.warning).map(warning));
    Notification::new(result.notification).of_alarm(result.alarm.as_ref()).warning(warnings)
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
    // A text that is not a number names no notification.
    let Path(id) = id.map_err(|_| Error::NotFound("notification"))?;
    Ok(Json(Notification::new(messenger.notifications().find(&satellite, NotificationId(id)).await?)))
}

async fn deliveries(
    State(messenger): State<Messenger>,
    ServiceCaller(satellite): ServiceCaller,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<Deliveries>, ApiError> {
    let Path(id) = id.map_err(|_| Error::NotFound("notification"))?;
    Ok(Json(Deliveries::new(messenger.notifications().history(&satellite, NotificationId(id)).await?)))
}
