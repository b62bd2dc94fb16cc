//! Changes of messages: edits, redactions and reactions.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
};
use messenger_core::{
    Error, Messenger,
    id::{EventId, RoomId},
};
use messenger_runtime::{
    ApiError,
    caller::{Authenticated, ClientAddress, Sending},
    fields::{Fields, JsonBody, Path},
    traces::RequestOrigin,
};
use tracing::instrument;

use crate::{
    request::{self, EditRequest, ReactionRequest},
    response::{Message, SentReaction},
};

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room, %event))]
pub(crate) async fn edit(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    Path((room, event)): Path<(String, String)>,
    JsonBody { fields }: JsonBody,
) -> Result<Json<Message>, ApiError> {
    let EditRequest { message, transaction } = request::edit(fields)?;
    let (room, event) = message_ids(room, event)?;
    Ok(Json(messenger.messages().edit(&caller, &room, &event, message, transaction.as_deref()).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room, %event))]
pub(crate) async fn redact(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    ClientAddress(address): ClientAddress,
    RequestOrigin(origin): RequestOrigin,
    Path((room, event)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, ApiError> {
    let reason = request::reason(Fields::from_query(query.as_deref()))?;
    let (room, event) = message_ids(room, event)?;
    let request = (address, origin.request_id);
    messenger.messages().redact(&caller, &room, &event, reason.as_deref(), request).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room, %event))]
pub(crate) async fn react(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    Path((room, event)): Path<(String, String)>,
    JsonBody { fields }: JsonBody,
) -> Result<(StatusCode, Json<SentReaction>), ApiError> {
    let ReactionRequest { key, transaction } = request::reaction(fields)?;
    let (room, event) = message_ids(room, event)?;
    let event_id = messenger.reactions().add(&caller, &room, &event, &key, transaction.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(SentReaction { event_id })))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room, %event))]
pub(crate) async fn remove_reaction(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    Path((room, event, key)): Path<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    let (room, event) = message_ids(room, event)?;
    messenger.reactions().remove(&caller, &room, &event, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Parses the ids of a path, which are opaque. A text that cannot be a room id names no room.
fn message_ids(room: String, event: String) -> Result<(RoomId, EventId), Error> {
    Ok((RoomId::parse(room).ok_or(Error::NotFound("room"))?, EventId::new(event)))
}
