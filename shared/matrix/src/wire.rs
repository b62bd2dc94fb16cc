//! The Matrix wire format: events of a homeserver, parsed from JSON into the types of core.
//!
//! The parsers are tolerant. An event that cannot be parsed is skipped, and the others of its list are kept.

mod event;
mod message;
mod receipt;
mod transaction;
mod typing;

use serde_json::Value;

pub use event::{MESSAGE_TYPES, parse_event, parse_timestamp};
pub use receipt::parse_receipts;
pub use transaction::Transaction;
pub use typing::parse_typing;

/// Returns a string without U+0000, which no database stores. Returns `None` if the value is not a string.
fn string(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(|text| text.replace('\0', ""))
}

/// Returns whether an id contains U+0000. No valid id does, and no database stores it.
fn has_nul(id: &str) -> bool {
    id.contains('\0')
}
