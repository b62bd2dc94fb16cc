//! What the tail hands out beside the log: ephemeral events, to whoever listens at this moment.

use std::{collections::HashMap, future};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::time::{Duration, Instant};

use super::Broker;
use crate::{ephemeral::EphemeralEvent, event::Audience};

/// A homeserver may tell the same by two ways, push and `/sync`. What equals the last ephemeral event to its audience
/// is its echo for so long; later it is news again, for those who missed that it had ended.
const ECHO: Duration = Duration::from_secs(10);

/// The last ephemeral event to each audience, as long as it may have an echo.
#[derive(Default)]
struct Last(HashMap<Audience, (Bytes, Instant)>);

impl Broker {
    /// Hands out ephemeral events until the future is dropped.
    pub(super) async fn hand_out_ephemeral(&self) {
        let mut ephemeral_bus = self.ephemeral_bus.listen();
        let mut last = Last::default();
        while let Some(ephemeral) = ephemeral_bus.next().await {
            if let Some(frame) = last.unless_echo(&ephemeral) {
                self.offer(ephemeral.audience(), &frame);
            }
        }
        future::pending::<()>().await;
    }

    /// Who does not keep up misses it.
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
