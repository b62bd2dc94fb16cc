//! The body of a transaction (Matrix specification, "Application Service API", "Pushing events").

use std::collections::BTreeMap;

use messenger_core::{
    Error, Result, error::Problem, json, receipt::Receipt, room_event::RoomEvent, typing::Typing,
};
use serde_json::value::RawValue;

use super::{parse_event, parse_receipts, parse_typing};

/// The names of the list of ephemeral events: that of the specification, and that of the proposal before it
/// (MSC2409). Synapse sends the same list under both.
const EPHEMERAL: [&str; 2] = ["ephemeral", "de.sorunome.msc2409.ephemeral"];

/// The events that a homeserver pushes in one request, as far as the service uses them.
#[derive(Debug)]
pub struct Transaction {
    /// The room events, in the order of the homeserver.
    pub events: Vec<RoomEvent>,
    /// The typing notifications.
    pub typing: Vec<Typing>,
    /// The read receipts.
    pub receipts: Vec<Receipt>,
}

impl Transaction {
    /// Parses a transaction event by event. An event that cannot be parsed is skipped: the homeserver would
    /// repeat a transaction that fails for ever. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the body is not a JSON object with a list `events`.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let body = String::from_utf8_lossy(body);
        let body = body.strip_prefix('\u{feff}').unwrap_or(&body);
        let members: BTreeMap<String, Box<RawValue>> =
            json::parse(body).map_err(|error| invalid("", error.to_string()))?;
        let list = |name: &str| -> Option<Vec<Box<RawValue>>> { json::parse(members.get(name)?.get()).ok() };
        let events = list("events").ok_or_else(|| invalid("/events", "must be a list"))?;
        let mut ephemeral = EPHEMERAL.into_iter().filter_map(list);
        let ephemeral = ephemeral.find(|list| !list.is_empty()).unwrap_or_default();
        let ephemeral: Vec<_> = ephemeral.iter().map(|event| json::value(event)).collect();
        Ok(Self {
            events: events.iter().filter_map(|event| parse_event(event, None)).collect(),
            typing: ephemeral.iter().filter_map(|event| parse_typing(event, None)).collect(),
            receipts: ephemeral.iter().flat_map(|event| parse_receipts(event, None)).collect(),
        })
    }
}

fn invalid(pointer: &str, message: impl Into<String>) -> Error {
    Error::Invalid(vec![Problem::new(pointer, message).coded("invalid_json")])
}
