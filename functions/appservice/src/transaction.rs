//! The body of a transaction (Matrix specification, "Application Service API", "Pushing events").

use messenger_core::{Error, Result, error::Problem, inbound::RoomEvent, receipt::Receipt, typing::Typing};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// What the homeserver has to tell, as far as it concerns us.
pub(crate) struct Transaction {
    /// What happened in rooms.
    pub(crate) events: Vec<RoomEvent>,
    /// Who types in them now.
    pub(crate) typing: Vec<Typing>,
    /// Receipts of other clients.
    pub(crate) receipts: Vec<Receipt>,
}

/// As it is on the wire, event by event: none that cannot be read makes a transaction fail, or the homeserver would come
/// with it for ever. Ephemeral events may be anything.
#[derive(Deserialize)]
struct Body {
    events: Vec<Box<RawValue>>,
    ephemeral: Option<Box<RawValue>>,
    /// Before the specification had them (MSC2409). Synapse says the same under both names.
    #[serde(rename = "de.sorunome.msc2409.ephemeral")]
    unstable_ephemeral: Option<Box<RawValue>>,
}

impl Transaction {
    /// Reads a transaction. What of it does not concern us is left out.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let Body { events, ephemeral, unstable_ephemeral } =
            serde_json::from_slice(body).map_err(|error| {
                Error::Invalid(vec![Problem::new("", error.to_string()).coded("invalid_json")])
            })?;
        let lists = [ephemeral, unstable_ephemeral].into_iter().flatten();
        let mut lists = lists.filter_map(|list| serde_json::from_str::<Vec<Box<RawValue>>>(list.get()).ok());
        let said = lists.find(|list| !list.is_empty()).unwrap_or_default();
        let said = said.iter().filter_map(|event| serde_json::from_str::<Value>(event.get()).ok());
        let said: Vec<_> = said.collect();
        Ok(Self {
            events: events.iter().filter_map(|event| RoomEvent::read(event, None)).collect(),
            typing: said.iter().filter_map(|event| Typing::read(event, None)).collect(),
            receipts: said.iter().flat_map(|event| Receipt::read(event, None)).collect(),
        })
    }
}
