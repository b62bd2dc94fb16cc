//! Ephemeral events between processes, by `NOTIFY` on a channel of their own. No table holds them, and a commit that
//! changes none is not waited for by the disk.

use async_trait::async_trait;
use futures::stream::BoxStream;
use messenger_core::{Result, ephemeral::EphemeralEvent, port::EphemeralBus};

use crate::PgStore;

const EPHEMERAL: &str = "select pg_notify('ephemeral_events', event) from unnest($1::text[]) as event";

#[async_trait]
impl EphemeralBus for PgStore {
    async fn publish(&self, events: &[EphemeralEvent]) -> Result<()> {
        let texts: Vec<_> = events.iter().map(EphemeralEvent::to_string).collect();
        self.database.execute("publishing ephemeral events", EPHEMERAL, &[&texts]).await.map(drop)
    }

    fn listen(&self) -> BoxStream<'static, EphemeralEvent> {
        self.listener.ephemeral_bus()
    }
}
