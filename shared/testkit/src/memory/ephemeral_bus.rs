//! Ephemeral events in memory.

use async_trait::async_trait;
use futures::stream::BoxStream;
use messenger_core::{Result, ephemeral::EphemeralEvent, port::EphemeralBus};

use super::Memory;

#[async_trait]
impl EphemeralBus for Memory {
    async fn ephemeral(&self, ephemeral_bus: &[EphemeralEvent]) -> Result<()> {
        let listeners = &self.shared.ephemeral_bus;
        self.act("whispering", |_| {
            ephemeral_bus.iter().cloned().for_each(|ephemeral| listeners.tell(ephemeral))
        })
        .await
    }

    fn listen(&self) -> BoxStream<'static, EphemeralEvent> {
        self.shared.ephemeral_bus.listen()
    }
}
