//! Messages: sending, history, and files.
//!
//! ```text
//! POST /api/v1/messages/send                          {room_id, body, msg_type?, txn_id?} → Message
//! GET  /api/v1/messages/history/{room_id}             ?limit=&from_token= → messages, newest first
//! POST /api/v1/messages/upload                        multipart: room_id, file, body?, txn_id? → Message
//! GET  /api/v1/messages/media/{server}/{media_id}     a file of a message; Range
//! ```

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
    request::{Page, SendRequest},
    response::{History, Message},
};

pub use routes::routes;

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn send(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    JsonBody { fields }: JsonBody,
) -> Result<Json<Message>, ApiError> {
    let SendRequest { room, content, transaction } = request::message(fields)?;
    Ok(Json(messenger.messages().send(&caller, &room, content, transaction.as_deref()).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn history(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<History>, ApiError> {
    let Page { from, limit } = request::page(Fields::from_query(query.as_deref()))?;
    let room = RoomId::parse(room).ok_or(Error::NotFound("room"))?;
    Ok(Json(messenger.history().page(&caller, &room, from.as_deref(), limit).await?.into()))
}
