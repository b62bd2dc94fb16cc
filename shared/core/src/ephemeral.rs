//! Ephemeral events go to the streams that are open at this moment and are stored nowhere. An ephemeral event has no
//! position, so it moves no cursor and is not replayed; it may be lost, and nothing depends on it.

use std::fmt;

use bytes::Bytes;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use serde::Serialize;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{
    Error, Result,
    event::{Audience, Payload, one_line},
};

/// Most bytes of an ephemeral event on its way between processes: PostgreSQL carries fewer than 8000 (`NOTIFY`).
pub const EPHEMERAL_MAX: usize = 7_900;
/// The most ephemeral events that wait for one listener. A slower listener misses the oldest.
const WAITING_MAX: usize = 256;

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

/// The listeners to ephemeral events in one process. Adapters of [`EphemeralBus`](crate::port::EphemeralBus) hand events
/// over to them. Clones are the same listeners.
#[derive(Debug, Clone)]
pub struct EphemeralChannel(broadcast::Sender<EphemeralEvent>);

impl Default for EphemeralChannel {
    fn default() -> Self {
        Self(broadcast::Sender::new(WAITING_MAX))
    }
}

impl EphemeralChannel {
    /// Hands an ephemeral event to everybody who listens, and waits for nobody.
    pub fn tell(&self, ephemeral: EphemeralEvent) {
        // Nobody listens: then nobody misses it.
        let _ = self.0.send(ephemeral);
    }

    /// Whether anybody listens.
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// What is told from now on. Ends with the last of the listeners' clones.
    pub fn listen(&self) -> BoxStream<'static, EphemeralEvent> {
        stream::unfold(self.0.subscribe(), async |mut told| {
            loop {
                match told.recv().await {
                    Ok(ephemeral) => return Some((ephemeral, told)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
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
