//! The body of a transaction (Matrix specification, "Application Service API", "Pushing events").

use messenger_core::{Error, Result, error::Problem, inbound::RoomEvent, typing::Typing};
use serde::Deserialize;
use serde_json::Value;

/// What the homeserver has to tell, as far as it concerns us.
pub(crate) struct Transaction {
    /// What happened in rooms.
    pub(crate) events: Vec<RoomEvent>,
    /// Who types in them now.
    pub(crate) typing: Vec<Typing>,
}

/// As it is on the wire. Ephemeral events may be anything: nothing that is said in passing makes a transaction fail,
/// or the homeserver would come with it for ever.
#[derive(Deserialize)]
struct Body {
    events: Vec<Value>,
    #[serde(default)]
    ephemeral: Value,
    /// Before the specification had them (MSC2409). Synapse says the same under both names.
    #[serde(default, rename = "de.sorunome.msc2409.ephemeral")]
    unstable_ephemeral: Value,
}

impl Transaction {
    /// Reads a transaction. What of it does not concern us is left out.
    pub(crate) fn parse(body: &[u8]) -> Result<Self> {
        let Body { events, ephemeral, unstable_ephemeral } =
            serde_json::from_slice(body).map_err(|error| {
                Error::Invalid(vec![Problem::new("", error.to_string()).coded("invalid_json")])
            })?;
        let lists = [ephemeral, unstable_ephemeral];
        let said = lists.iter().filter_map(Value::as_array).find(|list| !list.is_empty());
        let typing = said.into_iter().flatten();
        Ok(Self {
            events: events.into_iter().filter_map(|event| RoomEvent::read(event, None)).collect(),
            typing: typing.filter_map(|event| Typing::read(event, None)).collect(),
        })
    }
}
