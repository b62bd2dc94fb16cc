//! The copy of the event log as a [`Feed`]. It is never read beyond its head.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use messenger_core::{
    Error, Result,
    audiences::Audiences,
    cursor::Span,
    error::Failure,
    event::{Event, NewEvent},
    id::Position,
    port::{Feed, FeedCopyPorts},
};

use crate::{
    error::{NO_DATABASE, fault},
    item::Keys,
    present::{Beside, Known, Present, incomplete},
    table::{Head, Range, Table},
};

/// The largest gap that is read from the blocks: a few queries, whatever the number of audiences.
const NEAR: i64 = 1000;
/// The most queries at once for one reader.
const QUERIES: usize = 8;
const READING: &str = "reading the copy of the event log";

/// The event log on DynamoDB.
pub struct DynamoFeed {
    table: Arc<Table>,
    present: Arc<Present>,
}

impl DynamoFeed {
    /// Takes the table of the copy, and the ports of its database.
    pub fn new(table: Arc<Table>, ports: FeedCopyPorts) -> Self {
        let present = Arc::new(Present::new(table.clone(), Beside::Database(ports)));
        Self { table, present }
    }

    /// Takes the table of the copy for a process without a database.
    pub(crate) fn alone(table: Arc<Table>, present: Arc<Present>) -> Self {
        Self { table, present }
    }

    /// Returns the head of a copy, which is complete.
    async fn head(&self, keys: &Keys) -> Result<Head> {
        let head = self.table.head(keys).await?;
        let head = head.filter(|head| head.is_complete).ok_or_else(incomplete)?;
        self.present.note_complete(keys);
        Ok(head)
    }

    /// Returns the position up to which a relay has signalled events, if that is beyond the cursor. Signals save
    /// reading the head.
    fn signalled(&self, known: &Known, cursor: Position) -> Option<Position> {
        let relayed = self.present.last_relayed().filter(|_| known.is_complete)?;
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
        match &self.present.beside {
            Beside::Database(ports) => ports.feed.append(events).await,
            Beside::Nothing { .. } => Err(Error::internal("appending to the event log", NO_DATABASE)),
        }
    }

    async fn after(&self, cursor: Position, audiences: &Audiences, limit: i64) -> Result<Vec<Event>> {
        let limit = size(limit);
        let known = self.present.known().await?;
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
        let known = self.present.known().await?;
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
        let known = self.present.known().await?;
        Ok(self.head(&known.keys).await?.span)
    }

    async fn is_assigned(&self, position: Position) -> Result<bool> {
        if position <= self.span().await?.head {
            return Ok(true);
        }
        match &self.present.beside {
            // The database is ahead of its copy.
            Beside::Database(ports) => ports.feed.is_assigned(position).await,
            // Nobody knows here whether the position is of this log: the reader gets a reset.
            Beside::Nothing { .. } => Ok(false),
        }
    }

    async fn wait_beyond(&self, position: Position, patience: Duration) {
        self.present.wait_beyond(position, patience).await;
    }
}

fn size(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or_default()
}

fn missing() -> Error {
    fault(Failure::Broken, READING, "positions are missing that were not dropped")
}
