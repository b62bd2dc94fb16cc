//! What the homeserver calls.
use super::endpoint::{Callers, Endpoint};
use super::subject::{Subject, Wanted};
use crate::service::Door;

/// A room is named that is not ours: a transaction about it must cost next to nothing.
const STRANGE: &str = r#"{"events":[{"event_id":"$strange","room_id":"!strange:elsewhere.local","sender":"@anna:elsewhere.local",
    "type":"m.room.message","origin_server_ts":1790000000000,"content":{"msgtype":"m.text","body":"not for us"}}]}"#;
const NEW: &str = r#"{"events":[{"event_id":"$new{number}","room_id":"{room}","sender":"@load-0:bench.local",
    "type":"m.room.message","origin_server_ts":1790000000000,"content":{"msgtype":"m.text","body":"message {number}"}}]}"#;
const KNOWN: &str = r#"{"events":[{"event_id":"$known","room_id":"{room}","sender":"@load-0:bench.local",
    "type":"m.room.message","origin_server_ts":1790000000000,"content":{"msgtype":"m.text","body":"once more"}}]}"#;

pub(super) const PUSHED: [Endpoint; 6] = [
    Endpoint::new("transactions/{id}, a new message", "PUT /_matrix/app/v1/transactions/{number}").body(NEW),
    Endpoint::new("transactions/{id}, a known one", "PUT /_matrix/app/v1/transactions/{number}").body(KNOWN),
    Endpoint::new("transactions/{id}, a strange room", "PUT /_matrix/app/v1/transactions/{number}")
        .body(STRANGE),
    Endpoint::new("appservice ping", "POST /_matrix/app/v1/ping").body("{}"),
    Endpoint::new("appservice users/{id}", "GET /_matrix/app/v1/users/@anna:bench.local").status(404),
    Endpoint::new("appservice rooms/{alias}", "GET /_matrix/app/v1/rooms/%23hall:bench.local").status(404),
];

/// About a room in which many listen; nothing where the homeserver's token is not known to us.
pub(super) fn loads(door: &Door, wanted: &Wanted, room: &str) -> Vec<Subject> {
    let homeserver = Callers::with(door, door.hs_token.as_slice()).word("room", room);
    if door.hs_token.is_some() { wanted.of(&PUSHED, &homeserver) } else { Vec::new() }
}
