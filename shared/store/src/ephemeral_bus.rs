//! Ephemeral events between processes, by `NOTIFY`. They are in no table; a commit without changed rows does
//! not wait for the disk.

use async_trait::async_trait;
use futures::stream::BoxStream;
use messenger_core::{Result, ephemeral::EphemeralEvent, port::EphemeralBus};

use crate::PgStore;

const PUBLISH: &str = "select pg_notify('ephemeral_events', event) from unnest($1::text[]) as event";

#[async_trait]
impl EphemeralBus for PgStore {
    async fn publish(&self, events: &[EphemeralEvent]) -> Result<()> {
        let texts: Vec<_> = events.iter().map(EphemeralEvent::to_string).collect();
        self.database.execute("publishing ephemeral events", PUBLISH, &[&texts]).await.map(drop)
    }

    fn listen(&self) -> BoxStream<'static, EphemeralEvent> {
        self.listener.ephemeral_bus()
    }
}
