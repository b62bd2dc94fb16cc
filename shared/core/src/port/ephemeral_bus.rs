//! The port that carries ephemeral events between the processes of one installation.

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::domain::{ephemeral::EphemeralEvent, error::Result};

/// The bus that carries ephemeral events from the process that receives them to the streams of all processes.
///
/// Events of one publisher stay in order. Any of them may be lost. The event log is not involved.
#[async_trait]
pub trait EphemeralBus: Send + Sync {
    /// Publishes events to the listeners of all processes, without waiting for any listener.
    async fn publish(&self, events: &[EphemeralEvent]) -> Result<()>;

    /// Returns the events that are published from about now on. A slow reader misses the oldest ones.
    fn listen(&self) -> BoxStream<'static, EphemeralEvent>;
}
