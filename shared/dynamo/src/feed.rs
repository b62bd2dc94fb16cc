//! The copy of the event log as a [`Feed`]. It is never read beyond its head.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use messenger_core::{
    Result,
    audiences::Audiences,
    cursor::Span,
    error::Failure,
    event::{Event, NewEvent},
    id::Position,
    lock,
    port::{Feed, FeedCopyPorts},
};

use crate::{
    error::fault,
    item::Keys,
    table::{Head, Range, Table},
};

/// The largest gap that is read from the blocks: a few queries, whatever the number of audiences.
const NEAR: i64 = 1000;
/// The most queries at once for one reader.
const QUERIES: usize = 8;
/// The time after which the id of the copy is read again. It changes when a database was restored.
const COPY_AGE: Duration = Duration::from_secs(5);
const READING: &str = "reading the copy of the event log";

/// The event log on DynamoDB.
pub struct DynamoFeed {
    table: Arc<Table>,
    ports: FeedCopyPorts,
    known: Mutex<Option<Known>>,
}

/// The copy that is read.
#[derive(Clone)]
struct Known {
    keys: Keys,
    is_complete: bool,
    since: Instant,
}

impl DynamoFeed {
    /// Takes the table of the copy, and the ports of its database.
    pub fn new(table: Arc<Table>, ports: FeedCopyPorts) -> Self {
        Self { table, ports, known: Mutex::default() }
    }

    /// Returns the copy of the database.
    async fn known(&self) -> Result<Known> {
        let known = lock(&self.known).clone();
        if let Some(known) = known.as_ref().filter(|known| known.since.elapsed() < COPY_AGE) {
            return Ok(known.clone());
        }
        let copy = self.ports.copies.copy().await?.ok_or_else(incomplete)?;
        let keys = Keys::new(&copy);
        let is_complete = known.is_some_and(|known| known.is_complete && known.keys == keys);
        let known = Known { keys, is_complete, since: Instant::now() };
        *lock(&self.known) = Some(known.clone());
        Ok(known)
    }

    /// Returns the head of a copy, which is complete.
    async fn head(&self, keys: &Keys) -> Result<Head> {
        let head = self.table.head(keys).await?;
        let head = head.filter(|head| head.is_complete).ok_or_else(incomplete)?;
        if let Some(known) = lock(&self.known).as_mut().filter(|known| known.keys == *keys) {
            known.is_complete = true;
        }
        Ok(head)
    }

    /// Returns the position up to which a relay has signalled events, if that is beyond the cursor. Signals save
    /// reading the head.
    fn signalled(&self, known: &Known, cursor: Position) -> Option<Position> {
        let relayed = self.ports.source.last_relayed().filter(|_| known.is_complete)?;
        (relayed.copy == known.keys.copy() && relayed.position > cursor).then_some(relayed.position)
    }

    /// Returns all events of a range, oldest first; `None` if some are missing.
    async fn dense(&self, keys: &Keys, range: Range) -> Result<Option<Vec<Event>>> {
        let count = usize::try_from(range.1.0 - range.0.0).unwrap_or_default();
        if count == 0 {
            return Ok(Some(Vec::new()));
        }
        let blocks: Vec<_> = keys.blocks(range).collect();
        let events: Vec<Vec<Event>> = stream::iter(blocks)
            .map(|block| self.table.events(block, range, count))
            .buffered(QUERIES)
            .try_collect()
            .await?;
        let events = events.concat();
        let is_dense = (range.0.0 + 1..).zip(&events).all(|(position, event)| position == event.position.0);
        Ok((is_dense && events.len() == count).then_some(events))
    }

    /// Returns the events of each audience of a range, at most `limit`, oldest first.
    async fn of_audiences(
        &self,
        keys: &Keys,
        (after, until): Range,
        audiences: &Audiences,
        limit: usize,
    ) -> Result<Vec<Event>> {
        let queries: Vec<_> = audiences
            .after(after)
            .map(|(audience, since)| (keys.audience(audience), (since, until)))
            .collect();
        let events: Vec<Vec<Event>> = stream::iter(queries)
            .map(|(partition, range)| self.table.events(partition, range, limit))
            .buffer_unordered(QUERIES)
            .try_collect()
            .await?;
        let mut events = events.concat();
        events.sort_unstable_by_key(|event| event.position);
        events.truncate(limit);
        Ok(events)
    }
}

#[async_trait]
impl Feed for DynamoFeed {
    async fn append(&self, events: &[NewEvent]) -> Result<usize> {
        self.ports.feed.append(events).await
    }

    async fn after(&self, cursor: Position, audiences: &Audiences, limit: i64) -> Result<Vec<Event>> {
        let limit = size(limit);
        let known = self.known().await?;
        let span = self.head(&known.keys).await?.span;
        let range = (cursor.max(span.trimmed), span.head);
        if range.1.0 - range.0.0 > NEAR {
            return self.of_audiences(&known.keys, range, audiences, limit).await;
        }
        if range.1 <= range.0 {
            return Ok(Vec::new());
        }
        let mut events = self.dense(&known.keys, range).await?.ok_or_else(missing)?;
        events.retain(|event| audiences.includes(&event.audience, event.position));
        events.truncate(limit);
        Ok(events)
    }

    async fn next(&self, cursor: Position, limit: i64) -> Result<Vec<Event>> {
        let up_to = |from: Position, until: Position| Position(until.0.min(from.0.saturating_add(limit)));
        let known = self.known().await?;
        if let Some(until) = self.signalled(&known, cursor)
            && let Some(events) = self.dense(&known.keys, (cursor, up_to(cursor, until))).await?
        {
            return Ok(events);
        }
        let span = self.head(&known.keys).await?.span;
        let from = cursor.max(span.trimmed);
        if span.head <= from {
            return Ok(Vec::new());
        }
        self.dense(&known.keys, (from, up_to(from, span.head))).await?.ok_or_else(missing)
    }

    async fn span(&self) -> Result<Span> {
        let known = self.known().await?;
        Ok(self.head(&known.keys).await?.span)
    }

    async fn is_assigned(&self, position: Position) -> Result<bool> {
        // The database is ahead of its copy.
        Ok(position <= self.span().await?.head || self.ports.feed.is_assigned(position).await?)
    }

    async fn wait_beyond(&self, position: Position, patience: Duration) {
        self.ports.source.wait_relayed(position, patience).await;
    }
}

fn size(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or_default()
}

fn incomplete() -> messenger_core::Error {
    fault(
        Failure::Unreachable,
        READING,
        "it is not complete yet: a worker with EVENT_STORE=dynamodb completes it",
    )
}

fn missing() -> messenger_core::Error {
    fault(Failure::Broken, READING, "positions are missing that were not dropped")
}
