//! The port that carries ephemeral events between the processes of one installation.

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::domain::{ephemeral::EphemeralEvent, error::Result};

/// Carries ephemeral events from the process that receives them to the streams of all processes. Events of one publisher
/// stay in order; any of them may be lost. Does not touch the event log.
#[async_trait]
pub trait EphemeralBus: Send + Sync {
    /// Publishes events to all listeners in all processes, and waits for none of them.
    async fn publish(&self, events: &[EphemeralEvent]) -> Result<()>;

    /// Returns the events from about now on. A slow reader misses the oldest.
    fn listen(&self) -> BoxStream<'static, EphemeralEvent>;
}
