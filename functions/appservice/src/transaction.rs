//! The body of a transaction (Matrix specification, "Application Service API", "Pushing events").

use messenger_core::{Error, Result, error::Problem, inbound::RoomEvent};
use serde::Deserialize;
use serde_json::Value;

/// What the homeserver has to tell.
#[derive(Deserialize)]
pub(crate) struct Transaction {
    events: Vec<Value>,
}

impl Transaction {
    /// Its events, as far as they concern us.
    pub(crate) fn parse(body: &[u8]) -> Result<Vec<RoomEvent>> {
        let transaction: Self = serde_json::from_slice(body).map_err(|error| {
            Error::Invalid(vec![Problem::new("", error.to_string()).coded("invalid_json")])
        })?;
        Ok(transaction.events.into_iter().filter_map(|event| RoomEvent::read(event, None)).collect())
    }
}
