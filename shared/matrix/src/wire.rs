//! The Matrix wire format: events of a homeserver, parsed from JSON into the types of core.
//!
//! The parsers are tolerant. An event that cannot be parsed is skipped, and the others of its list are kept.

mod event;
mod message;
mod receipt;
mod reply_fallback;
pub(crate) mod state;
pub(crate) mod sync;
mod transaction;
mod typing;

use messenger_core::json;
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

pub use event::{MESSAGE_TYPES, parse_event, parse_redactable, parse_timestamp};
pub use receipt::parse_receipts;
pub use transaction::Transaction;
pub use typing::parse_typing;

/// Parses a value. Returns `None` and logs a warning if it cannot be parsed. `kind` is for the log.
pub(crate) fn parse_or_skip<T: DeserializeOwned>(raw: &RawValue, kind: &'static str) -> Option<T> {
    let parsed = json::parse(raw.get());
    if let Err(error) = &parsed {
        tracing::warn!(kind, %error, "part of a homeserver's response skipped: it cannot be parsed");
    }
    parsed.ok()
}

/// Returns a string without U+0000, which no database stores. Returns `None` if the value is not a string.
fn string(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(|text| text.replace('\0', ""))
}

/// Returns whether an id contains U+0000. No valid id does, and no database stores it.
fn has_nul(id: &str) -> bool {
    id.contains('\0')
}
