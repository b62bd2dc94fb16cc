//! Ephemeral events in memory.

use async_trait::async_trait;
use futures::stream::BoxStream;
use messenger_core::{Result, ephemeral::EphemeralEvent, port::EphemeralBus};

use super::Memory;

#[async_trait]
impl EphemeralBus for Memory {
    async fn publish(&self, events: &[EphemeralEvent]) -> Result<()> {
        let bus = &self.shared.ephemeral_bus;
        self.act("publishing ephemeral events", |_| {
            events.iter().cloned().for_each(|event| bus.publish(event));
        })
        .await
    }

    fn listen(&self) -> BoxStream<'static, EphemeralEvent> {
        self.shared.ephemeral_bus.listen()
    }
}
