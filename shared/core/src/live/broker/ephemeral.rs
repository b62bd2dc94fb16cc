//! Hands ephemeral events to the streams that are open at this moment, beside the log.

use std::{collections::HashMap, future};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::time::{Duration, Instant};

use crate::{
    domain::{ephemeral::EphemeralEvent, event::Audience},
    live::broker::Broker,
};

/// A homeserver may tell the same by two ways, push and `/sync`. What equals the last ephemeral event to its audience
/// is its echo for so long; later it is news again, for those who missed that it had ended.
const ECHO: Duration = Duration::from_secs(10);

/// The last ephemeral event to each audience, as long as it may have an echo.
#[derive(Default)]
struct Last(HashMap<Audience, (Bytes, Instant)>);

impl Broker {
    /// Hands out ephemeral events until the future is dropped.
    pub(super) async fn hand_out_ephemeral(&self) {
        let mut events = self.ephemeral_bus.listen();
        let mut last = Last::default();
        while let Some(ephemeral) = events.next().await {
            if let Some(frame) = last.unless_echo(&ephemeral) {
                self.offer(ephemeral.audience(), &frame);
            }
        }
        future::pending::<()>().await;
    }

    /// Offers a frame to all streams of an audience. A stream whose send buffer fills up misses it.
    fn offer(&self, audience: &Audience, frame: &Bytes) {
        let state = self.state();
        for id in state.listeners.get(audience).into_iter().flatten() {
            if let Some(connection) = state.connections.get(id) {
                connection.send_buffer.offer(frame.clone());
            }
        }
    }
}

impl Last {
    /// Its bytes, made once for all who hear it.
    fn unless_echo(&mut self, ephemeral: &EphemeralEvent) -> Option<Bytes> {
        let (frame, now) = (ephemeral.sse(), Instant::now());
        self.0.retain(|_, (_, at)| now - *at < ECHO);
        let before = self.0.insert(ephemeral.audience().clone(), (frame.clone(), now));
        before.is_none_or(|(last, _)| last != frame).then_some(frame)
    }
}
