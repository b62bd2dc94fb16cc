//! The bodies and queries of requests, parsed into domain values.

use std::collections::HashSet;

use messenger_core::{
    Result,
    error::Problem,
    id::{EventId, HUB_USER_ID_MAX, HubUserId, MatrixUserId, RoomId, SearchPosition},
    message::{Format, MENTIONS_MAX, Mentions, OutgoingMessage, REACTION_KEY_MAX, TEXT_TYPES, TXN_ID_MAX},
    search::MessageQuery,
};
use messenger_runtime::fields::Fields;

/// Most characters of a message.
pub(crate) const BODY_MAX: usize = 20_000;
/// Most characters of an id.
pub(crate) const ID_MAX: usize = 255;
/// Most characters of the reason of a redaction.
const REASON_MAX: usize = 1000;
/// Most characters of a history token.
const TOKEN_MAX: usize = 1000;
/// The default and the largest number of results of a search.
const RESULTS: (i64, i64) = (20, 100);
/// The values of `format`; the first is the default.
const FORMATS: [&str; 2] = ["plain", "markdown"];

/// The values of `direction`; the first is the default.
const DIRECTIONS: [&str; 2] = ["backward", "forward"];

/// A message to be sent.
pub(crate) struct SendRequest {
    pub(crate) room: RoomId,
    pub(crate) message: OutgoingMessage,
    pub(crate) transaction: Option<String>,
}

/// The new content of a message.
pub(crate) struct EditRequest {
    pub(crate) message: OutgoingMessage,
    pub(crate) transaction: Option<String>,
}

/// A reaction to a message.
pub(crate) struct ReactionRequest {
    pub(crate) key: String,
    pub(crate) transaction: Option<String>,
}

/// A page of the history.
pub(crate) struct Page {
    pub(crate) place: Place,
    pub(crate) limit: usize,
}

/// The place of a page in the history.
pub(crate) enum Place {
    /// Before a token, or at the end of the room.
    Before(Option<String>),
    /// After a token.
    After(String),
    /// Around an event.
    Around(EventId),
}

/// Parses `POST /messages/send`.
pub(crate) fn message(mut fields: Fields) -> Result<SendRequest> {
    let room = RoomId::new(fields.required_text("room_id", ID_MAX));
    let body = fields.required_text("body", BODY_MAX);
    let msg_type = fields.one_of("msg_type", &TEXT_TYPES, Problem::INVALID).unwrap_or(TEXT_TYPES[0]);
    let transaction = transaction(&mut fields);
    let (format, mentions) = (format(&mut fields), mentions(&mut fields));
    let reply_to = fields.optional_text("reply_to", ID_MAX).filter(|id| !id.is_empty()).map(EventId::new);
    fields.refuse_misspelt();
    fields.finish()?;
    let message = OutgoingMessage { body, msg_type: msg_type.to_owned(), format, mentions, reply_to };
    Ok(SendRequest { room, message, transaction })
}

fn format(fields: &mut Fields) -> Format {
    match fields.one_of("format", &FORMATS, Problem::INVALID) {
        Some("markdown") => Format::Markdown,
        _ => Format::Plain,
    }
}

fn mentions(fields: &mut Fields) -> Mentions<HubUserId> {
    let mentions = fields.optional_object("mentions", |mut fields| {
        let users = fields.user_ids("hub_user_ids", MENTIONS_MAX, HUB_USER_ID_MAX);
        let room = fields.optional_flag("room").unwrap_or_default();
        fields.refuse_misspelt();
        if users.is_empty() && !room {
            // Otherwise the message would mention nobody, without a word.
            fields.refuse_unknown();
        }
        fields.finish()?;
        let mut users: Vec<_> = users.into_iter().map(HubUserId::new).collect();
        let mut seen = HashSet::new();
        users.retain(|user| seen.insert(user.clone()));
        Ok(Mentions { users, room })
    });
    mentions.unwrap_or_default()
}

/// Parses `PATCH /messages/{room_id}/{event_id}`. The type of the message stays.
pub(crate) fn edit(mut fields: Fields) -> Result<EditRequest> {
    let body = fields.required_text("body", BODY_MAX);
    let transaction = transaction(&mut fields);
    let (format, mentions) = (format(&mut fields), mentions(&mut fields));
    fields.refuse_misspelt();
    fields.finish()?;
    let message = OutgoingMessage { format, mentions, ..OutgoingMessage::text(body, TEXT_TYPES[0]) };
    Ok(EditRequest { message, transaction })
}

/// Parses the query of `DELETE /messages/{room_id}/{event_id}`.
pub(crate) fn reason(mut fields: Fields) -> Result<Option<String>> {
    let reason = fields.optional_text("reason", REASON_MAX).filter(|reason| !reason.trim().is_empty());
    fields.finish()?;
    Ok(reason)
}

/// Parses `POST /messages/{room_id}/{event_id}/reactions`.
pub(crate) fn reaction(mut fields: Fields) -> Result<ReactionRequest> {
    let key = fields.required_text("key", REACTION_KEY_MAX);
    if key.chars().any(char::is_control) {
        fields.wrong("key", "must not contain control characters");
    }
    let transaction = transaction(&mut fields);
    fields.refuse_misspelt();
    fields.finish()?;
    Ok(ReactionRequest { key, transaction })
}

/// Treats a blank `txn_id` as absent: otherwise every message after the first would be deduplicated away.
fn transaction(fields: &mut Fields) -> Option<String> {
    fields.optional_text("txn_id", TXN_ID_MAX).filter(|id| !id.trim().is_empty())
}

/// Parses the query of `GET /messages/search`.
pub(crate) fn search(mut fields: Fields) -> Result<MessageQuery> {
    let query = MessageQuery {
        terms: fields.required_words("q"),
        room: fields.optional_text("room_id", ID_MAX).filter(|id| !id.is_empty()).map(RoomId::new),
        sender: fields.optional_text("sender", ID_MAX).filter(|id| !id.is_empty()).map(MatrixUserId::new),
        before: fields.optional_number("before", 1, i64::MAX).map(SearchPosition),
        limit: fields.number("limit", RESULTS.0, 1, RESULTS.1),
    };
    fields.finish()?;
    Ok(query)
}

/// Parses the query of `GET /messages/history/{room_id}`.
pub(crate) fn page(mut fields: Fields) -> Result<Page> {
    let limit = fields.number("limit", 50, 1, 200);
    let from = fields.optional_text("from_token", TOKEN_MAX).filter(|from| !from.is_empty());
    let around = fields.optional_text("around", ID_MAX).filter(|event| !event.is_empty());
    let direction = fields.one_of("direction", &DIRECTIONS, Problem::INVALID).unwrap_or(DIRECTIONS[0]);
    let place = match (around, direction == DIRECTIONS[1], from) {
        (Some(_), _, Some(_)) => {
            fields.wrong("around", "cannot be combined with from_token: leave one of them out");
            Place::Before(None)
        }
        (Some(event), _, None) => Place::Around(EventId::new(event)),
        (None, true, Some(from)) => Place::After(from),
        (None, true, None) => {
            fields.wrong("from_token", "is required with direction=forward: the start_token of another page");
            Place::Before(None)
        }
        (None, false, from) => Place::Before(from),
    };
    fields.finish()?;
    Ok(Page { place, limit: usize::try_from(limit).unwrap_or(1) })
}
