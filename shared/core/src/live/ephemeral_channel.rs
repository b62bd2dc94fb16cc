//! Passes ephemeral events to the streams of one process.

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::domain::ephemeral::EphemeralEvent;

/// The most ephemeral events that wait for one listener. A slower listener misses the oldest ones.
const WAITING_MAX: usize = 256;

/// The channel for ephemeral events in one process. Adapters of [`EphemeralBus`](crate::port::EphemeralBus)
/// publish to it. Clones share it.
#[derive(Debug, Clone)]
pub struct EphemeralChannel(broadcast::Sender<EphemeralEvent>);

impl Default for EphemeralChannel {
    fn default() -> Self {
        Self(broadcast::Sender::new(WAITING_MAX))
    }
}

impl EphemeralChannel {
    /// Sends an ephemeral event to all listeners, without waiting for them.
    pub fn publish(&self, ephemeral: EphemeralEvent) {
        // Without listeners the event is lost, as intended.
        let _ = self.0.send(ephemeral);
    }

    /// Returns whether there is a listener.
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    /// Returns the events that are published from now on. Ends when the last clone of the channel is dropped.
    pub fn listen(&self) -> BoxStream<'static, EphemeralEvent> {
        stream::unfold(self.0.subscribe(), async |mut events| {
            loop {
                match events.recv().await {
                    Ok(ephemeral) => return Some((ephemeral, events)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }
}
