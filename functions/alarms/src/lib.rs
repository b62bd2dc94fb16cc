//! Alarms: their list, their journals, and acts of users on them.
//!
//! ```text
//! GET  /api/v1/alarms?state=&source_app=&priority=&entity_type=&entity_id=&q=&cursor=&limit=   latest beginning first
//! GET  /api/v1/alarms/{id}                                                one alarm
//! GET  /api/v1/alarms/{id}/journal?cursor=&limit=                         its journal, newest entry first
//! POST /api/v1/alarms/{id}/ack      {episode?, revision?, comment?}       acknowledge
//! POST /api/v1/alarms/{id}/unack    {episode?, revision?, comment?}       withdraw the acknowledgement
//! POST /api/v1/alarms/{id}/resolve  {episode?, revision?, comment?}       report that the fault is over
//! POST /api/v1/alarms/{id}/comment  {comment, episode?, revision?}        add a comment
//! ```

mod request;
mod response;
mod routes;

use axum::{
    Json,
    extract::{RawQuery, State},
};
use messenger_core::{
    Messenger,
    alarm::{ActKind, AlarmAct},
    event::payload::Alarm,
    id::AlarmId,
    user::Caller,
};
use messenger_runtime::{
    ApiError,
    alarms::{AlarmAfterAct, act, comment},
    caller::Authenticated,
    fields::{Fields, OptionalJsonBody, Path},
};
use tracing::instrument;

use crate::response::{Alarms, Journal};

pub use routes::routes;

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn list(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<Alarms>, ApiError> {
    let query = request::page(Fields::from_query(query.as_deref()))?;
    Ok(Json(messenger.alarms().page(&caller, &query).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn one(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
) -> Result<Json<Alarm>, ApiError> {
    Ok(Json(messenger.alarms().find(&caller, AlarmId(id)).await?))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn journal(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    RawQuery(query): RawQuery,
) -> Result<Json<Journal>, ApiError> {
    let query = request::journal(Fields::from_query(query.as_deref()))?;
    Ok(Json(messenger.alarms().journal(&caller, AlarmId(id), &query).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn acknowledge(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    body: OptionalJsonBody,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    act_on(&messenger, &caller, id, act(ActKind::Acknowledge, body.fields)?).await
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn unacknowledge(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    body: OptionalJsonBody,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    act_on(&messenger, &caller, id, act(ActKind::Unacknowledge, body.fields)?).await
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn resolve(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    body: OptionalJsonBody,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    act_on(&messenger, &caller, id, act(ActKind::Resolve, body.fields)?).await
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), id))]
async fn add_comment(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(id): Path<i64>,
    body: OptionalJsonBody,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    act_on(&messenger, &caller, id, comment(body.fields)?).await
}

async fn act_on(
    messenger: &Messenger,
    caller: &Caller,
    id: i64,
    act: AlarmAct,
) -> Result<Json<AlarmAfterAct>, ApiError> {
    Ok(Json(messenger.alarms().act(caller, AlarmId(id), act).await?.into()))
}
