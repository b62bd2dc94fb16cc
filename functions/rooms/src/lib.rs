//! Rooms: listed, opened, made and left.
//!
//! ```text
//! GET  /api/v1/rooms                                           the caller's, most recent activity first
//! POST /api/v1/rooms {name, topic?, invite_users?}             make a private room
//! POST /api/v1/rooms/dm/{hub_user_id}                          open the one chat with somebody
//! GET  /api/v1/rooms/directory?q=&entity_type=&limit=&offset=  entity and service rooms of the tenant
//! POST /api/v1/rooms/{id}/join                                 come in; that is how a room of the directory is opened
//! POST /api/v1/rooms/{id}/invite {hub_user_id}                 bring somebody in, at once
//! GET  /api/v1/rooms/{id}/members                              who is in it
//! POST /api/v1/rooms/{id}/leave                                go
//! POST /api/v1/rooms/{id}/read                                 everything in it is read
//! POST /api/v1/rooms/{id}/typing {typing, timeout_ms?}         the caller writes something, or no longer
//! ```

mod request;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, RawQuery, State},
    http::StatusCode,
    routing::{get, post},
};
use messenger_core::{
    Error, Messenger,
    id::{HubUserId, RoomId},
    room::{Listed, Member, Room},
};
use messenger_runtime::{
    ApiError, App,
    caller::{Caller, Sending},
    fields::{JsonBody, Path, SMALL_BODY_MAX},
};
use serde::Serialize;

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/rooms", get(list).post(found))
        .route("/api/v1/rooms/directory", get(directory))
        .route("/api/v1/rooms/dm/{hub_user_id}", post(open_dm))
        .route("/api/v1/rooms/{id}/join", post(join))
        .route("/api/v1/rooms/{id}/invite", post(invite).layer(DefaultBodyLimit::max(SMALL_BODY_MAX)))
        .route("/api/v1/rooms/{id}/members", get(members))
        .route("/api/v1/rooms/{id}/leave", post(leave))
        .route("/api/v1/rooms/{id}/read", post(read))
        .route("/api/v1/rooms/{id}/typing", post(typing).layer(DefaultBodyLimit::max(SMALL_BODY_MAX)))
}

#[derive(Serialize)]
struct Rooms<T> {
    rooms: Vec<T>,
}

async fn list(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
) -> Result<Json<Rooms<Room>>, ApiError> {
    Ok(Json(Rooms { rooms: messenger.rooms().list(&caller).await? }))
}

async fn found(
    State(messenger): State<Messenger>,
    Sending(Caller(caller)): Sending<Caller>,
    body: JsonBody,
) -> Result<(StatusCode, Json<Room>), ApiError> {
    let creation = request::creation(body.fields)?;
    Ok((StatusCode::CREATED, Json(messenger.rooms().create(&caller, creation).await?)))
}

async fn directory(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Rooms<Listed>>, ApiError> {
    let search = request::search(query.as_deref())?;
    Ok(Json(Rooms { rooms: messenger.rooms().directory(&caller, &search).await? }))
}

async fn open_dm(
    State(messenger): State<Messenger>,
    Sending(Caller(caller)): Sending<Caller>,
    Path(partner): Path<String>,
) -> Result<Json<Room>, ApiError> {
    // What cannot be an id is nobody's.
    let partner = HubUserId::parse(&partner).map_err(|_| Error::NotFound("user"))?;
    Ok(Json(messenger.rooms().open_direct_chat(&caller, &partner).await?))
}

async fn join(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
    Path(room): Path<String>,
) -> Result<Json<Room>, ApiError> {
    Ok(Json(messenger.rooms().join(&caller, &id(room)?).await?))
}

async fn invite(
    State(messenger): State<Messenger>,
    Sending(Caller(caller)): Sending<Caller>,
    Path(room): Path<String>,
    body: JsonBody,
) -> Result<Json<Member>, ApiError> {
    let invited = request::invited(body.fields)?;
    Ok(Json(messenger.rooms().invite(&caller, &id(room)?, &invited).await?))
}

async fn members(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
    Path(room): Path<String>,
) -> Result<Json<Vec<Member>>, ApiError> {
    Ok(Json(messenger.rooms().members(&caller, &id(room)?).await?))
}

async fn leave(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
    Path(room): Path<String>,
) -> Result<StatusCode, ApiError> {
    messenger.rooms().leave(&caller, &id(room)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
    Path(room): Path<String>,
) -> Result<StatusCode, ApiError> {
    messenger.rooms().mark_read(&caller, &id(room)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Not for every key: when somebody begins, again shortly before the time ends, and when they are done.
async fn typing(
    State(messenger): State<Messenger>,
    Caller(caller): Caller,
    Path(room): Path<String>,
    body: JsonBody,
) -> Result<StatusCode, ApiError> {
    let lasting = request::typing(body.fields)?;
    messenger.messages().set_typing(&caller, &id(room)?, lasting).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A room id is opaque: whatever it is, either we know it or there is no such room.
fn id(room: String) -> Result<RoomId, Error> {
    RoomId::parse(room).ok_or(Error::NotFound("room"))
}
