//! Ephemeral events. They reach only the streams that are open now, and are never stored.
//!
//! An ephemeral event has no position, so it moves no cursor and is not replayed. It may be lost.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

use crate::domain::{
    error::{Error, Result},
    event::{Audience, Payload, one_line},
};

/// The largest size in bytes of an encoded ephemeral event. PostgreSQL's `NOTIFY` carries less than 8000.
pub const EPHEMERAL_MAX: usize = 7_900;

/// An event without position, for an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EphemeralEvent {
    audience: Audience,
    payload: Payload,
}

impl EphemeralEvent {
    /// Returns an event with these fields, which include `type`.
    ///
    /// # Errors
    /// Fails if the value is no JSON object, or if the encoded event is longer than [`EPHEMERAL_MAX`].
    pub fn new(audience: Audience, fields: &impl Serialize) -> Result<Self> {
        let ephemeral = Self { audience, payload: Payload::of(fields)? };
        let length = ephemeral.to_string().len();
        if length > EPHEMERAL_MAX {
            return Err(Error::invalid("", format!("has {length} bytes, may have {EPHEMERAL_MAX}")));
        }
        Ok(ephemeral)
    }

    /// Parses the encoded form (see `Display`); `None` if the text is invalid.
    pub fn parse(text: &str) -> Option<Self> {
        let (payload, audience) = text.split_once('\n')?;
        Some(Self { audience: Audience::parse(audience)?, payload: Payload::stored(payload.to_owned()) })
    }

    /// Returns its audience.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Returns the event as bytes of an event stream: `data` without `id`.
    pub(crate) fn sse(&self) -> Bytes {
        Bytes::from(format!("data: {}\n\n", one_line(self.payload.as_str().to_owned())))
    }
}

/// The encoded form: the payload, which has no line breaks, on the first line, and the audience after it.
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
    fn an_encoded_event_parses_to_the_same_event() {
        let ephemeral =
            EphemeralEvent::new(room("!a\nb c"), &json!({ "type": "typing", "x": "Größe\n\"5\"" }));
        let ephemeral = ephemeral.expect("it is short");
        assert_eq!(EphemeralEvent::parse(&ephemeral.to_string()), Some(ephemeral));
        for text in ["", "{}", "{}\n", "{}\nt1:x:", "\n"] {
            assert_eq!(EphemeralEvent::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_frame_of_an_ephemeral_event_has_no_id() {
        let ephemeral = EphemeralEvent::new(room("!a"), &json!({ "type": "typing" })).expect("it is short");
        assert_eq!(ephemeral.sse(), "data: {\"type\":\"typing\"}\n\n");
    }

    #[test]
    fn an_event_above_the_size_limit_is_refused() {
        let fits =
            |length: usize| EphemeralEvent::new(room("!a"), &json!({ "x": "x".repeat(length) })).is_ok();
        let around = "{\"x\":\"\"}\nt1:r:!a".len();
        assert!(fits(EPHEMERAL_MAX - around) && !fits(EPHEMERAL_MAX - around + 1));
    }
}
