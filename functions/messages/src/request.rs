//! The bodies and queries of requests, parsed into domain values.

use messenger_core::{Result, error::Problem, id::RoomId, message::MessageContent};
use messenger_runtime::fields::Fields;

/// Most characters of a message.
pub(crate) const BODY_MAX: usize = 20_000;
/// Most characters of an id.
pub(crate) const ID_MAX: usize = 255;
/// Most characters of a history token.
const TOKEN_MAX: usize = 1000;
/// The `msg_type`s of text messages; the first is the default.
const TYPES: [&str; 3] = ["m.text", "m.notice", "m.emote"];

/// A message to be sent.
pub(crate) struct SendRequest {
    pub(crate) room: RoomId,
    pub(crate) content: MessageContent,
    pub(crate) transaction: Option<String>,
}

/// A page of the history.
pub(crate) struct Page {
    pub(crate) from: Option<String>,
    pub(crate) limit: usize,
}

/// Parses `POST /messages/send`.
pub(crate) fn message(mut fields: Fields) -> Result<SendRequest> {
    let room = RoomId::new(fields.required_text("room_id", ID_MAX));
    let body = fields.required_text("body", BODY_MAX);
    let msg_type = fields.one_of("msg_type", &TYPES, Problem::INVALID).unwrap_or(TYPES[0]);
    // Treat a blank `txn_id` as absent: otherwise every message after the first would be deduplicated away.
    let transaction = fields.optional_text("txn_id", ID_MAX).filter(|id| !id.trim().is_empty());
    fields.finish()?;
    Ok(SendRequest { room, content: MessageContent::text(body, msg_type), transaction })
}

/// Parses the query of `GET /messages/history/{room_id}`.
pub(crate) fn page(mut fields: Fields) -> Result<Page> {
    let limit = fields.number("limit", 50, 1, 200);
    let from = fields.optional_text("from_token", TOKEN_MAX).filter(|from| !from.is_empty());
    fields.finish()?;
    Ok(Page { from, limit: usize::try_from(limit).unwrap_or(1) })
}
