//! Acts on the alarm of a notification. The alarms function has the same ones by the id of the alarm.

use axum::{Json, extract::State};
use messenger_core::{
    Messenger,
    alarm::{ActKind, AlarmAct},
    id::NotificationId,
    user::Caller,
};
use messenger_runtime::{
    ApiError, Routes,
    alarms::{AlarmAfterAct, act, act_on_alarm, comment},
    caller::Authenticated,
    fields::{OptionalJsonBody, Path},
    openapi::Operation,
};
use tracing::instrument;

/// Returns the routes of these acts.
pub(crate) fn routes() -> Routes {
    let acknowledge = Operation::post(
        "/api/v1/notifications/{id}/ack",
        acknowledge,
        "acknowledgeNotification",
        "Acknowledges the alarm of a notification",
    );
    let resolve = Operation::post(
        "/api/v1/notifications/{id}/resolve",
        resolve,
        "resolveNotification",
        "Reports that the fault of a notification is over",
    );
    let add_comment = Operation::post(
        "/api/v1/notifications/{id}/comment",
        add_comment,
        "commentNotification",
        "Adds a comment to the alarm of a notification",
    );
    Routes::new("Notifications", "Notifications of satellites, and the inbox of their readers")
        .declare(act_on_alarm(acknowledge).optional_json(|fields| act(ActKind::Acknowledge, fields)))
        .declare(act_on_alarm(resolve).optional_json(|fields| act(ActKind::Resolve, fields)))
        .declare(act_on_alarm(add_comment).json(comment))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn acknowledge(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    body: OptionalJsonBody,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    by_notification(&messenger, &caller, id, act(ActKind::Acknowledge, body.fields)?).await
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn resolve(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    body: OptionalJsonBody,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    by_notification(&messenger, &caller, id, act(ActKind::Resolve, body.fields)?).await
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn add_comment(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    body: OptionalJsonBody,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    by_notification(&messenger, &caller, id, comment(body.fields)?).await
}

async fn by_notification(
    messenger: &Messenger,
    caller: &Caller,
    id: i64,
    act: AlarmAct,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    let result = messenger.alarms().act_by_notification(caller, NotificationId(id), act).await?;
    Ok(Json(result.into()))
}
