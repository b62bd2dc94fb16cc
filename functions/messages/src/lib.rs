//! Messages: sending, history, and files.
//!
//! ```text
//! POST /api/v1/messages/send                          {room_id, body, msg_type?, txn_id?} → Message
//! GET  /api/v1/messages/history/{room_id}             ?limit=&from_token= → messages, newest first
//! POST /api/v1/messages/upload                        multipart: room_id, file, body?, txn_id? → Message
//! GET  /api/v1/messages/media/{server}/{media_id}     a file of a message; Bearer or ?token=; Range
//! ```

mod download;
mod response;
mod spool;
mod upload;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, RawQuery, State},
    routing::{get, post},
};
use messenger_core::{Error, Messenger, id::RoomId, message::MessageContent};
use messenger_runtime::{
    ApiError, App,
    caller::{Authenticated, Sending},
    fields::{Fields, JsonBody, Path},
};
use serde_json::Value;
use tracing::instrument;

use crate::response::{History, Message};

/// Most characters of a message.
const BODY_MAX: usize = 20_000;
/// Most characters of an id.
const ID_MAX: usize = 255;
/// Most characters of a history token.
const TOKEN_MAX: usize = 1000;
/// The `msg_type`s of text messages; the first is the default.
const TYPES: [&str; 3] = ["m.text", "m.notice", "m.emote"];

/// The routes of this function.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/api/v1/messages/send", post(send))
        .route("/api/v1/messages/history/{room_id}", get(history))
        // The form has a limit of its own: see `LimitedForm`.
        .route("/api/v1/messages/upload", post(upload::upload).layer(DefaultBodyLimit::disable()))
        .route("/api/v1/messages/media/{server}/{media_id}", get(download::download))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
async fn send(
    State(messenger): State<Messenger>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    JsonBody { mut fields, .. }: JsonBody,
) -> Result<Json<Message>, ApiError> {
    let room = RoomId::new(fields.required_text("room_id", ID_MAX));
    let body = fields.required_text("body", BODY_MAX);
    let msg_type = msg_type(&mut fields);
    // Treat a blank `txn_id` as absent: otherwise every message after the first would be deduplicated away.
    let transaction = fields.optional_text("txn_id", ID_MAX).filter(|id| !id.trim().is_empty());
    fields.finish()?;
    let content = MessageContent::text(body, msg_type);
    Ok(Json(messenger.messages().send(&caller, &room, content, transaction.as_deref()).await?.into()))
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), %room))]
async fn history(
    State(messenger): State<Messenger>,
    Authenticated(caller): Authenticated,
    Path(room): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<History>, ApiError> {
    let mut fields = Fields::from_query(query.as_deref());
    let limit = fields.number("limit", 50, 1, 200);
    let from = fields.optional_text("from_token", TOKEN_MAX).filter(|from| !from.is_empty());
    fields.finish()?;
    let limit = usize::try_from(limit).unwrap_or(1);
    let room = RoomId::parse(room).ok_or(Error::NotFound("room"))?;
    Ok(Json(messenger.history().page(&caller, &room, from.as_deref(), limit).await?.into()))
}

fn msg_type(fields: &mut Fields) -> &'static str {
    let msg_type = match fields.value("msg_type") {
        None => return TYPES[0],
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
    };
    let known = TYPES.into_iter().find(|known| *known == msg_type);
    known.unwrap_or_else(|| {
        fields.wrong("msg_type", &format!("must be one of: {}", TYPES.join(", ")));
        TYPES[0]
    })
}
