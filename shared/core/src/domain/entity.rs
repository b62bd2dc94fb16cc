//! The entity of a satellite that a room belongs to: a machine, an order.

use serde::{Deserialize, Serialize};

/// The id of an entity: a number or a text. `42` and `"42"` name the same room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum EntityId {
    /// A whole number, as in `docs/integration.md`.
    Number(i64),
    /// A text, for entities without a number.
    Text(String),
}

impl EntityId {
    /// Parses the canonical form. The canonical form of a number becomes a number.
    pub fn parse(canonical: &str) -> Self {
        match canonical.parse::<i64>() {
            Ok(number) if number.to_string() == canonical => Self::Number(number),
            _ => Self::Text(canonical.to_owned()),
        }
    }

    /// Returns the canonical form, which names the room.
    pub fn canonical(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}
