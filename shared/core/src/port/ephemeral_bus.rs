//! The port by which the processes of one installation tell each other what is kept nowhere.

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{Result, ephemeral::EphemeralEvent};

/// From whichever process hears it first to the streams of all of them. Ephemeral events of one teller come in order; any of them
/// may be lost. The event log is not touched.
#[async_trait]
pub trait EphemeralBus: Send + Sync {
    /// Tells everybody who listens, in whatever process, and waits for none of them.
    async fn ephemeral(&self, ephemeral_bus: &[EphemeralEvent]) -> Result<()>;

    /// What is whispered from about now on. Who reads it too slowly misses the oldest.
    fn listen(&self) -> BoxStream<'static, EphemeralEvent>;
}
