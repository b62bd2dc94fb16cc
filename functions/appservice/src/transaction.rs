//! The body of a transaction (Matrix specification, "Application Service API", "Pushing events").

use std::collections::BTreeMap;

use messenger_core::{
    Error, Result, error::Problem, json, receipt::Receipt, room_event::RoomEvent, typing::Typing,
};
use serde_json::value::RawValue;

/// What the homeserver has to tell, as far as it concerns us.
pub(crate) struct Transaction {
    /// What happened in rooms.
    pub(crate) events: Vec<RoomEvent>,
    /// Who types in them now.
    pub(crate) typing: Vec<Typing>,
    /// Receipts of other clients.
    pub(crate) receipts: Vec<Receipt>,
}

/// Ephemeral events: in the specification, and before it had them (MSC2409). Synapse says the same under both names.
const EPHEMERAL: [&str; 2] = ["ephemeral", "de.sorunome.msc2409.ephemeral"];

impl Transaction {
    /// Reads a transaction event by event. An event that cannot be read does not make the transaction fail, or the
    /// homeserver would repeat it for ever. Bytes that are not UTF-8 read as U+FFFD.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let body = String::from_utf8_lossy(body);
        let body = body.strip_prefix('\u{feff}').unwrap_or(&body);
        let members: BTreeMap<String, Box<RawValue>> = json::parse(body).map_err(|error| {
            Error::Invalid(vec![Problem::new("", error.to_string()).coded("invalid_json")])
        })?;
        let list = |name: &str| -> Option<Vec<Box<RawValue>>> { json::parse(members.get(name)?.get()).ok() };
        let no_events =
            || Error::Invalid(vec![Problem::new("/events", "must be a list").coded("invalid_json")]);
        let events = list("events").ok_or_else(no_events)?;
        let mut ephemeral = EPHEMERAL.into_iter().filter_map(list);
        let ephemeral = ephemeral.find(|list| !list.is_empty()).unwrap_or_default();
        let ephemeral: Vec<_> = ephemeral.iter().map(|event| json::value(event)).collect();
        Ok(Self {
            events: events.iter().filter_map(|event| RoomEvent::read(event, None)).collect(),
            typing: ephemeral.iter().filter_map(|event| Typing::read(event, None)).collect(),
            receipts: ephemeral.iter().flat_map(|event| Receipt::read(event, None)).collect(),
        })
    }
}
