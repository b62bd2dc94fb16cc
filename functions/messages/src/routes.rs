//! The routes of this function, with their description.

use axum::extract::DefaultBodyLimit;
use messenger_runtime::{
    Routes,
    fields::SMALL_BODY_MAX,
    openapi::{
        Caller, Operation, ResponseObject,
        code::{self, HOMESERVER, REFUSED_BY_HOMESERVER, ROOM},
    },
};
use serde_json::{Map, Value, json};

use crate::{
    changes, download, history,
    request::{self, ID_MAX},
    response::{FoundMessages, History, Message, SentReaction},
    search, send,
    upload::{self, TEXTS},
};

/// Returns the routes of this function.
pub fn routes() -> Routes {
    let room = json!({ "type": "string", "maxLength": ID_MAX });
    Routes::new("Messages", "Messages and files of rooms")
        .declare(
            sending(Operation::post("/api/v1/messages/send", send, "sendMessage", "Sends a message"))
                .json(request::message)
                .refuses(&[code::UNKNOWN_USER]),
        )
        .declare(edit_operation())
        .declare(redact_operation())
        .declare(react_operation())
        .declare(remove_reaction_operation())
        .declare(
            Operation::get(
                "/api/v1/messages/history/{room_id}",
                history,
                "getHistory",
                "Returns messages of a room, newest first",
            )
            .caller(Caller::User)
            .query(request::page)
            .answer(ResponseObject::json::<History>(200, "A page of the history."))
            .refuses(&[code::NOT_ALLOWED_IN_ROOM, code::USER_BANNED])
            .refuses(ROOM)
            .refuses(HOMESERVER),
        )
        .declare(
            Operation::get(
                "/api/v1/messages/search",
                search,
                "searchMessages",
                "Returns messages of the caller's rooms that have all words, the last to arrive first",
            )
            .caller(Caller::User)
            .query(request::search)
            .answer(ResponseObject::json::<FoundMessages>(200, "A page of the messages."))
            .refuses(&[code::NOT_FOUND, code::DATABASE_UNAVAILABLE]),
        )
        .declare(
            sending(Operation::post(
                "/api/v1/messages/upload",
                upload::upload,
                "sendFile",
                "Sends a message with a file",
            ))
            .parameter("query", "room_id", room, "The room, instead of that of the form.")
            .form(form())
            // The form has a limit of its own: see `LimitedForm`.
            .route(|route| route.layer(DefaultBodyLimit::disable())),
        )
        .declare(download_operation())
}

fn edit_operation() -> Operation {
    let path = "/api/v1/messages/{room_id}/{event_id}";
    sending(Operation::patch(path, changes::edit, "editMessage", "Gives a text of the caller a new content"))
        .json(request::edit)
        .refuses(&[code::NOT_YOUR_MESSAGE, code::MESSAGE_NOT_EDITABLE, code::UNKNOWN_USER])
}

fn redact_operation() -> Operation {
    let path = "/api/v1/messages/{room_id}/{event_id}";
    writing(Operation::delete(path, changes::redact, "redactMessage", "Redacts a message"))
        .query(request::reason)
        .answer(ResponseObject::empty(204, "It has no content any more."))
        .refuses(&[code::NOT_YOUR_MESSAGE])
}

fn react_operation() -> Operation {
    let path = "/api/v1/messages/{room_id}/{event_id}/reactions";
    writing(Operation::post(path, changes::react, "addReaction", "Reacts to a message"))
        .json(request::reaction)
        .body_limit(SMALL_BODY_MAX)
        .answer(ResponseObject::json::<SentReaction>(201, "The one reaction of the caller with this key."))
}

fn remove_reaction_operation() -> Operation {
    let path = "/api/v1/messages/{room_id}/{event_id}/reactions/{key}";
    writing(Operation::delete(path, changes::remove_reaction, "removeReaction", "Removes a reaction"))
        .answer(ResponseObject::empty(204, "The caller has no reaction with this key."))
}

fn sending(operation: Operation) -> Operation {
    writing(operation)
        .answer(ResponseObject::json::<Message>(200, "The message."))
        .refuses(&[code::IDEMPOTENCY_MISMATCH])
}

fn writing(operation: Operation) -> Operation {
    operation
        .caller(Caller::User)
        .refuses(&[code::READ_ONLY_ROLE, code::ROOM_ENCRYPTED, code::MATRIX_ACCOUNT_TAKEN])
        .refuses(REFUSED_BY_HOMESERVER)
        .refuses(ROOM)
        .refuses(HOMESERVER)
}

fn form() -> Value {
    let text =
        |(name, most): (&str, usize)| (name.to_owned(), json!({ "type": "string", "maxLength": most }));
    let mut properties: Map<String, Value> = TEXTS.into_iter().map(text).collect();
    let file = json!({ "type": "string", "contentMediaType": "application/octet-stream" });
    properties.insert("file".to_owned(), file);
    json!({ "type": "object", "properties": properties, "required": ["file"] })
}

fn download_operation() -> Operation {
    let range = json!({ "type": "string" });
    let text = || json!({ "type": "string" });
    let file = |status, description| {
        ResponseObject::media(status, &download::TYPES, description)
            .header("Content-Disposition", text(), "`inline` or `attachment`, with the name of the file.")
            .header("Content-Security-Policy", text(), "A sandbox.")
            .header(
                "Cross-Origin-Resource-Policy",
                json!({ "enum": ["cross-origin", "same-origin"] }),
                "Any page may embed a file by a URL with a token.",
            )
    };
    Operation::get(
        "/api/v1/messages/media/{server}/{media_id}",
        download::download,
        "getFile",
        "Returns a file that was posted in a room of the caller",
    )
    .caller(Caller::UserByUrl)
    .parameter("header", "Range", range, "One range of bytes; several give the whole file.")
    .answer(file(200, "The file."))
    .answer(file(206, "The range.").header("Content-Range", text(), "The range and the size of the file."))
    .refuses(&[code::NOT_FOUND, code::RANGE_NOT_SATISFIABLE])
    .refuses(HOMESERVER)
}
