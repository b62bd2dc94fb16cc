//! Messages: sending, editing, redacting, reactions, history, search, and files.
//!
//! ```text
//! POST   /api/v1/messages/send                        {room_id, body, …} → Message
//! PATCH  /api/v1/messages/{room_id}/{event_id}        {body, format?, mentions?, txn_id?} → Message
//! DELETE /api/v1/messages/{room_id}/{event_id}        ?reason=
//! POST   /api/v1/messages/{room_id}/{event_id}/reactions         {key, txn_id?} → {event_id}
//! DELETE /api/v1/messages/{room_id}/{event_id}/reactions/{key}
//! GET    /api/v1/messages/search                      ?q=&room_id=&sender=&before=&limit= → messages
//! GET    /api/v1/messages/history/{room_id}           ?limit=&from_token=&direction=&around= → messages
//! POST   /api/v1/messages/upload                      multipart: room_id, file, body?, txn_id? → Message
//! GET    /api/v1/messages/media/{server}/{media_id}   a file of a message; Range
//! ```

mod changes;
mod download;
mod request;
mod response;
mod routes;
mod spool;
mod upload;

use axum::{
    Json,
    extract::{RawQuery, State},
};
use messenger_core::{Error, Messenger, id::RoomId};
use messenger_runtime::{
    ApiError,
    caller::{Authenticated, Sending},
    fields::{Fields, JsonBody, Path},
};
use tracing::instrument;

use crate::{
    request::{Page, Place, SendRequest},
    response::{FoundMessages, History, Message},
};

pub use routes::routes;

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn send(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    JsonBody { fields }: JsonBody,
) -> Result<Json<Message>, ApiError> {
    let SendRequest { room, message, transaction } = request::message(fields)?;
    Ok(Json(messenger.messages().send(&caller, &room, message, transaction.as_deref()).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn history(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<History>, ApiError> {
    let Page { place, limit } = request::page(Fields::from_query(query.as_deref()))?;
    let room = RoomId::parse(room).ok_or(Error::NotFound("room"))?;
    let history = messenger.history();
    let page = match place {
        Place::Before(from) => history.page(&caller, &room, from.as_deref(), limit).await?,
        Place::After(from) => history.newer(&caller, &room, &from, limit).await?,
        Place::Around(event) => history.around(&caller, &room, &event, limit).await?,
    };
    Ok(Json(page.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn search(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
) -> Result<Json<FoundMessages>, ApiError> {
    let query = request::search(Fields::from_query(query.as_deref()))?;
    Ok(Json(messenger.search().page(&caller, &query).await?.into()))
}
