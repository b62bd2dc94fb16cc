//! The event log, `events` and `feed_head`.

mod row;
mod source;

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    audiences::Audiences,
    cursor::Span,
    event::{Event, NewEvent},
    id::Position,
    port::Feed,
};
use serde_json::{Value, json};

use crate::PgStore;
use row::{READING, columns, event};

const APPEND: &str = "select append_events($1)";
const SPAN: &str = "select trimmed, position from feed_head";
const NEXT: &str =
    concat!("select ", columns!(), " from events where position > $1 order by position limit $2");
/// Probes the index once for each audience, so that the cost does not depend on the events of others.
const AFTER: &str = concat!(
    "select ",
    columns!(),
    " from unnest($1::text[], $2::bigint[]) as wanted (name, since)
    cross join lateral (
        select * from events
        where (audience, position) > (wanted.name, wanted.since) and audience <= wanted.name
        order by audience, position limit $3
    ) found
    order by position limit $3"
);

#[async_trait]
impl Feed for PgStore {
    async fn append(&self, events: &[NewEvent]) -> Result<usize> {
        let batch: Vec<Value> = events.iter().enumerate().map(|(n, event)| wire(n, event)).collect();
        let row =
            self.database.query_one("appending to the event log", APPEND, &[&Value::from(batch)]).await?;
        Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or_default())
    }

    async fn after(&self, cursor: Position, audiences: &Audiences, limit: i64) -> Result<Vec<Event>> {
        let (names, since): (Vec<_>, Vec<_>) =
            audiences.after(cursor).map(|(audience, since)| (audience.to_string(), since.0)).unzip();
        let rows = self.database.query(READING, AFTER, &[&names, &since, &limit]).await?;
        rows.iter().map(event).collect()
    }

    async fn next(&self, cursor: Position, limit: i64) -> Result<Vec<Event>> {
        let mut events = self.local_appends.next(cursor, usize::try_from(limit).unwrap_or_default());
        if events.is_empty() {
            let rows = self.database.query(READING, NEXT, &[&cursor.0, &limit]).await?;
            events = rows.iter().map(event).collect::<Result<_>>()?;
        }
        self.local_appends.set_read(events.last().map_or(cursor, |event| event.position));
        Ok(events)
    }

    async fn span(&self) -> Result<Span> {
        let row = self.database.query_one(READING, SPAN, &[]).await?;
        Ok(Span { trimmed: Position(row.get(0)), head: Position(row.get(1)) })
    }

    async fn wait_beyond(&self, position: Position, patience: Duration) {
        self.listener.wait_beyond(position, patience).await;
    }
}

fn wire(n: usize, event: &NewEvent) -> Value {
    json!({
        "n": n,
        "tenant_id": event.audience.tenant(),
        "audience": event.audience.to_string(),
        "kind": event.kind.as_str(),
        "room": event.room,
        "payload": event.payload.as_str(),
        "key": event.key,
    })
}
