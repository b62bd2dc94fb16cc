//! Ephemeral events go to the streams that are open at this moment and are stored nowhere. An ephemeral event has no
//! position, so it moves no cursor and is not replayed; it may be lost, and nothing depends on it.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use crate::domain::{
    error::{Error, Result},
    event::{Audience, Payload, one_line},
};

/// Most bytes of an ephemeral event on its way between processes: PostgreSQL carries fewer than 8000 (`NOTIFY`).
pub const EPHEMERAL_MAX: usize = 7_900;

/// An event without a position, for an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EphemeralEvent {
    audience: Audience,
    payload: Payload,
}

impl EphemeralEvent {
    /// With all fields of the event, `type` among them.
    ///
    /// # Errors
    /// When the value is no JSON object, or when with its audience it is longer than [`EPHEMERAL_MAX`].
    pub fn new(audience: Audience, fields: &impl Serialize) -> Result<Self> {
        let ephemeral = Self { audience, payload: Payload::of(fields)? };
        let length = ephemeral.to_string().len();
        if length > EPHEMERAL_MAX {
            return Err(Error::invalid("", format!("has {length} bytes, may have {EPHEMERAL_MAX}")));
        }
        Ok(ephemeral)
    }

    /// Reads the form in which it is on its way back (see `Display`).
    pub fn parse(text: &str) -> Option<Self> {
        let (payload, audience) = text.split_once('\n')?;
        Some(Self { audience: Audience::parse(audience)?, payload: Payload::stored(payload.to_owned()) })
    }

    /// Who hears it.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The bytes of a stream: `data:` without `id:`.
    pub(crate) fn sse(&self) -> Bytes {
        Bytes::from(format!("data: {}\n\n", one_line(self.payload.as_str().to_owned())))
    }
}

/// The form in which it is on its way: the payload, which has no line breaks, and the audience, each on its own line.
impl fmt::Display for EphemeralEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.payload.as_str(), self.audience)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::id::{RoomId, TenantId};

    fn room(id: &str) -> Audience {
        Audience::Room(TenantId(1), RoomId::new(id))
    }

    #[test]
    fn a_ephemeral_event_comes_back_as_it_was_written() {
        let ephemeral =
            EphemeralEvent::new(room("!a\nb c"), &json!({ "type": "typing", "x": "Größe\n\"5\"" }));
        let ephemeral = ephemeral.expect("it is short");
        assert_eq!(EphemeralEvent::parse(&ephemeral.to_string()), Some(ephemeral));
        for text in ["", "{}", "{}\n", "{}\nt1:x:", "\n"] {
            assert_eq!(EphemeralEvent::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn its_frame_has_no_id() {
        let ephemeral = EphemeralEvent::new(room("!a"), &json!({ "type": "typing" })).expect("it is short");
        assert_eq!(ephemeral.sse(), "data: {\"type\":\"typing\"}\n\n");
    }

    #[test]
    fn what_is_too_long_is_no_ephemeral_event() {
        let fits =
            |length: usize| EphemeralEvent::new(room("!a"), &json!({ "x": "x".repeat(length) })).is_ok();
        let around = "{\"x\":\"\"}\nt1:r:!a".len();
        assert!(fits(EPHEMERAL_MAX - around) && !fits(EPHEMERAL_MAX - around + 1));
    }
}
