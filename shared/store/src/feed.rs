//! The event log, `events` and `feed_head`.

use std::time::Duration;

use async_trait::async_trait;
use messenger_core::{
    Result,
    error::Failure,
    event::{Audience, Event, Kind, NewEvent, Payload},
    id::{EventId, NotificationId, Position, RoomId},
    port::{Feed, Span},
};
use serde_json::{Value, json};
use tokio_postgres::Row;

use crate::{PgStore, error::fault};

const APPEND: &str = "select append_events($1)";
const SPAN: &str = "select trimmed, position from feed_head";
const NEXT: &str =
    "select position, audience, kind, notification_id, room_id, payload, about, is_redaction from events
    where position > $1 order by position limit $2";
/// Probes the index once for each audience, so that the cost does not depend on the events of others.
const AFTER: &str = "select position, audience, kind, notification_id, room_id, payload, about, is_redaction
    from (select distinct unnest($1::text[])) as wanted (name)
    cross join lateral (
        select position, audience, kind, notification_id, room_id, payload, about, is_redaction from events
        where (audience, position) > (wanted.name, $2) and audience <= wanted.name
        order by audience, position limit $3
    ) found
    order by position limit $3";
const READING: &str = "reading the event log";

#[async_trait]
impl Feed for PgStore {
    async fn append(&self, events: &[NewEvent]) -> Result<usize> {
        let batch: Vec<Value> = events.iter().enumerate().map(|(n, event)| wire(n, event)).collect();
        let row =
            self.database.query_one("appending to the event log", APPEND, &[&Value::from(batch)]).await?;
        Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or_default())
    }

    async fn after(&self, cursor: Position, audience: &[Audience], limit: i64) -> Result<Vec<Event>> {
        let names: Vec<String> = audience.iter().map(ToString::to_string).collect();
        let rows = self.database.query(READING, AFTER, &[&names, &cursor.0, &limit]).await?;
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

    async fn changed(&self, patience: Duration) {
        self.listener.feed(self.local_appends.read(), patience).await;
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

fn event(row: &Row) -> Result<Event> {
    let unknown = |what: &str| fault(Failure::Broken, READING, format!("unknown {what} in the event log"));
    let audience: &str = row.get(1);
    let kind: &str = row.get(2);
    Ok(Event {
        position: Position(row.get(0)),
        audience: Audience::parse(audience).ok_or_else(|| unknown("audience"))?,
        kind: Kind::parse(kind).ok_or_else(|| unknown("kind"))?,
        notification: row.get::<_, Option<i64>>(3).map(NotificationId),
        room: row.get::<_, Option<String>>(4).map(RoomId::new),
        payload: Payload::stored(row.get(5)),
        about: row.get::<_, Option<String>>(6).map(EventId::new),
        is_redaction: row.get(7),
    })
}
