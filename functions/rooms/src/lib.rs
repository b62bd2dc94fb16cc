//! Rooms: the list of the caller, the directory, and memberships.
//!
//! ```text
//! GET  /api/v1/rooms                                           the caller's, most recent activity first
//! POST /api/v1/rooms {name, topic?, invite_users?}             create a private room
//! POST /api/v1/rooms/dm/{hub_user_id}                          open the direct chat with a user
//! GET  /api/v1/rooms/directory?q=&entity_type=&limit=&offset=  entity and service rooms of the tenant
//! POST /api/v1/rooms/{id}/join                                 join a room of the directory
//! POST /api/v1/rooms/{id}/invite {hub_user_id}                 add a user, at once
//! GET  /api/v1/rooms/{id}/members                              the members
//! POST /api/v1/rooms/{id}/leave                                leave
//! POST /api/v1/rooms/{id}/read                                 mark all messages as read
//! PUT|DELETE /api/v1/rooms/{id}/mute                          switch its sounds off or on
//! POST /api/v1/rooms/{id}/typing {typing, timeout_ms?}         the caller types, or has stopped
//! ```

mod request;
mod response;
mod routes;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
};
use messenger_core::{
    Error, Messenger,
    id::{HubUserId, RoomId},
};
use messenger_runtime::{
    ApiError,
    caller::{Authenticated, Sending},
    fields::{Fields, JsonBody, Path},
};
use tracing::instrument;

use crate::response::{Listed, Member, Room, Rooms};

pub use routes::routes;

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn list(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
) -> Result<Json<Rooms<Room>>, ApiError> {
    Ok(Json(Rooms::new(messenger.rooms().list(&caller).await?)))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn create(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    body: JsonBody,
) -> Result<(StatusCode, Json<Room>), ApiError> {
    let creation = request::creation(body.fields)?;
    Ok((StatusCode::CREATED, Json(messenger.rooms().create(&caller, creation).await?.into())))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn directory(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<Rooms<Listed>>, ApiError> {
    let search = request::search(Fields::from_query(query.as_deref()))?;
    Ok(Json(Rooms::new(messenger.rooms().directory(&caller, &search).await?)))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %partner))]
async fn open_dm(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    Path(partner): Path<String>,
) -> Result<Json<Room>, ApiError> {
    // A text that cannot be an id names no user.
    let partner = HubUserId::parse(&partner).map_err(|_| Error::NotFound("user"))?;
    Ok(Json(messenger.rooms().open_direct_chat(&caller, &partner).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn join(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
) -> Result<Json<Room>, ApiError> {
    Ok(Json(messenger.rooms().join(&caller, &id(room)?).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn invite(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    Path(room): Path<String>,
    body: JsonBody,
) -> Result<Json<Member>, ApiError> {
    let invited = request::invited(body.fields)?;
    Ok(Json(messenger.rooms().invite(&caller, &id(room)?, &invited).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn members(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
) -> Result<Json<Vec<Member>>, ApiError> {
    let members = messenger.rooms().members(&caller, &id(room)?).await?;
    Ok(Json(members.into_iter().map(Member::from).collect()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn leave(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
) -> Result<StatusCode, ApiError> {
    messenger.rooms().leave(&caller, &id(room)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn read(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
) -> Result<StatusCode, ApiError> {
    messenger.rooms().mark_read(&caller, &id(room)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn mute(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
) -> Result<StatusCode, ApiError> {
    messenger.rooms().set_muted(&caller, &id(room)?, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn unmute(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
) -> Result<StatusCode, ApiError> {
    messenger.rooms().set_muted(&caller, &id(room)?, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Clients call it when typing begins, again shortly before `timeout_ms` has passed, and when it ends; not
/// for each key.
#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn typing(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
    body: JsonBody,
) -> Result<StatusCode, ApiError> {
    let timeout = request::typing(body.fields)?;
    messenger.messages().set_typing(&caller, &id(room)?, timeout).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Parses a room id, which is opaque: a text that cannot be one names no room.
fn id(room: String) -> Result<RoomId, Error> {
    RoomId::parse(room).ok_or(Error::NotFound("room"))
}
