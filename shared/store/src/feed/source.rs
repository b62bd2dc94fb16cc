//! The event log as a relay reads it, and the signals of relays.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    id::{EventId, Position},
    port::{FeedSource, RecordedEvent, Relayed},
};
use tokio_postgres::Row;

use super::row::{COUNT, READING, columns, event};
use crate::PgStore;

const RECORDED: &str =
    concat!("select ", columns!(), ", created_at from events where position > $1 order by position limit $2");
const RECORDED_ABOUT: &str = concat!(
    "select ",
    columns!(),
    ", created_at from events where about = any($1) and position <= $2 order by position"
);

#[async_trait]
impl FeedSource for PgStore {
    async fn recorded(&self, cursor: Position, limit: i64) -> Result<Vec<RecordedEvent>> {
        let rows = self.database.query(READING, RECORDED, &[&cursor.0, &limit]).await?;
        rows.iter().map(recorded).collect()
    }

    async fn recorded_about(&self, messages: &[EventId], until: Position) -> Result<Vec<RecordedEvent>> {
        let messages: Vec<_> = messages.iter().map(EventId::as_str).collect();
        let rows = self.database.query(READING, RECORDED_ABOUT, &[&messages, &until.0]).await?;
        rows.iter().map(recorded).collect()
    }

    fn last_relayed(&self) -> Option<Relayed> {
        self.listener.last_relayed()
    }

    async fn wait_relayed(&self, position: Position, patience: Duration) {
        self.listener.wait_relayed(position, patience).await;
    }
}

fn recorded(row: &Row) -> Result<RecordedEvent> {
    Ok(RecordedEvent { event: event(row)?, appended_at: row.get(COUNT) })
}
