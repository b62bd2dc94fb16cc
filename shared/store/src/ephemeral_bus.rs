//! Ephemeral events between processes, by `NOTIFY` on a channel of their own. No table holds them, and a commit that changes
//! none is not waited for by the disk.

use async_trait::async_trait;
use futures::stream::BoxStream;
use messenger_core::{Result, ephemeral::EphemeralEvent, port::EphemeralBus};

use crate::PgStore;

const EPHEMERAL: &str = "select pg_notify('whispers', whisper) from unnest($1::text[]) as whisper";

#[async_trait]
impl EphemeralBus for PgStore {
    async fn ephemeral(&self, ephemeral_bus: &[EphemeralEvent]) -> Result<()> {
        let texts: Vec<_> = ephemeral_bus.iter().map(EphemeralEvent::to_string).collect();
        self.database.execute("whispering", EPHEMERAL, &[&texts]).await.map(drop)
    }

    fn listen(&self) -> BoxStream<'static, EphemeralEvent> {
        self.signals.ephemeral_bus()
    }
}
