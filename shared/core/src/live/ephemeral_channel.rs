//! The ephemeral events of one process on their way to its streams.

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::domain::ephemeral::EphemeralEvent;

/// The most ephemeral events that wait for one listener. A slower listener misses the oldest.
const WAITING_MAX: usize = 256;

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
