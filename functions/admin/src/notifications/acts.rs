//! One notification: its deliveries, another attempt, the end of its attempts, and a test.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use messenger_core::{
    Error, Result,
    admin::notifications::{NotificationAct, TestNotification},
    error::Problem,
    id::NotificationId,
    notification::Priority,
};
use messenger_runtime::{
    ApiError, App,
    caller::AdministratorCaller,
    fields::{Fields, JsonBody, target},
    openapi::{Caller, Operation, ResponseObject, code},
    traces::RequestOrigin,
};
use serde_json::json;

use super::response::{AdminDeliveries, AdminNotification};

/// Longest text of a test notification, in characters.
const TEXT_MAX: usize = 400;
const TEXT: &str = "Zustellung";

/// The id in a path. A text that is no number names no notification.
pub(crate) type Id = Result<Path<i64>, PathRejection>;

/// Returns the id in a path.
pub(crate) fn id(id: Id) -> Result<NotificationId> {
    id.map(|Path(id)| NotificationId(id)).map_err(|_| Error::NotFound("notification"))
}

/// Adds the description of a path with the id of a notification, and of an answer with it.
pub(crate) fn of_one(operation: Operation) -> Operation {
    operation
        .caller(Caller::Administrator)
        .path_parameter(json!({ "type": "integer", "format": "int64" }))
        .answer(ResponseObject::json::<AdminNotification>(200, "The notification after the act."))
}

/// Declares the deliveries of a notification.
pub(crate) fn deliveries_operation() -> Operation {
    Operation::get(
        "/api/v1/admin/notifications/{id}/deliveries",
        deliveries,
        "getDeliveries",
        "Returns the attempts to deliver a notification, and its recipients",
    )
    .caller(Caller::Administrator)
    .path_parameter(json!({ "type": "integer", "format": "int64" }))
    .answer(ResponseObject::json::<AdminDeliveries>(200, "The attempts, oldest first, and the recipients."))
}

/// Declares another attempt.
pub(crate) fn retry_operation() -> Operation {
    of_one(Operation::post(
        "/api/v1/admin/notifications/{id}/retry",
        retry,
        "retryNotification",
        "Delivers a notification again that failed, expired or was cancelled",
    ))
    .refuses(&[code::NOT_RETRYABLE])
}

/// Declares the end of the attempts.
pub(crate) fn cancel_operation() -> Operation {
    of_one(Operation::post(
        "/api/v1/admin/notifications/{id}/cancel",
        cancel,
        "cancelNotification",
        "Ends the delivery of a pending notification; one in delivery may still be sent",
    ))
    .refuses(&[code::NOT_CANCELLABLE])
}

/// Declares the test.
pub(crate) fn test_operation() -> Operation {
    Operation::post(
        "/api/v1/admin/test-notification",
        test,
        "sendTestNotification",
        "Sends a notification that is marked as a test",
    )
    .caller(Caller::Administrator)
    .json(test_body)
    .answer(ResponseObject::json::<AdminNotification>(201, "The test is stored and will be delivered."))
    .refuses(&[code::INVALID_TARGET])
}

fn test_body(mut fields: Fields) -> Result<TestNotification> {
    if !fields.has("target_type") {
        // Without it a notification goes to everybody.
        fields.wrong_as("target_type", "invalid_target", "is required for a test: `dm`, `entity_room`, …");
    }
    let (target, _) = target::target(&mut fields);
    let priority = fields.one_of("priority", &Priority::ALL.map(Priority::as_str), Problem::INVALID);
    let text = fields.optional_text("text", TEXT_MAX).filter(|text| !text.trim().is_empty());
    target::misspelt(&mut fields, &target);
    fields.refuse_misspelt();
    fields.finish()?;
    Ok(TestNotification {
        target,
        priority: priority.and_then(Priority::parse).unwrap_or(Priority::Normal),
        text: text.unwrap_or_else(|| TEXT.to_owned()),
    })
}

async fn deliveries(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    id: Id,
) -> Result<Json<AdminDeliveries>, ApiError> {
    let deliveries = app.administration()?.notifications().deliveries(&administrator, self::id(id)?).await?;
    Ok(Json(AdminDeliveries::new(deliveries)))
}

async fn retry(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    id: Id,
) -> Result<Json<AdminNotification>, ApiError> {
    let notifications = app.administration()?.notifications();
    Ok(Json(notifications.change(&administrator, NotificationAct::Retry, self::id(id)?).await?.into()))
}

async fn cancel(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    id: Id,
) -> Result<Json<AdminNotification>, ApiError> {
    let notifications = app.administration()?.notifications();
    Ok(Json(notifications.change(&administrator, NotificationAct::Cancel, self::id(id)?).await?.into()))
}

async fn test(
    State(app): State<App>,
    AdministratorCaller(administrator): AdministratorCaller,
    RequestOrigin(origin): RequestOrigin,
    body: JsonBody,
) -> Result<(StatusCode, Json<AdminNotification>), ApiError> {
    let test = test_body(body.fields)?;
    let sent = app.administration()?.notifications().test(&administrator, test, origin).await?;
    Ok((StatusCode::CREATED, Json(sent.into())))
}
