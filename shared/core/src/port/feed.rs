//! The port of the event log.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{
    audiences::Audiences,
    cursor::Span,
    error::Result,
    event::{Event, NewEvent},
    id::Position,
};

/// The event log: append-only, ordered and durable.
///
/// A reader that has seen position *n* never later finds a new event at or below *n*, even if writers commit
/// at once, stall or die.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Appends events in one transaction. An event with a known key is skipped. Returns the number of
    /// appended events.
    ///
    /// Only tests append through this port: the other ports append events in the transaction of their change.
    async fn append(&self, events: &[NewEvent]) -> Result<usize>;

    /// Returns at most `limit` events after the cursor, oldest first: of each audience those that
    /// [its reader receives](Audiences::after).
    async fn after(&self, cursor: Position, audiences: &Audiences, limit: i64) -> Result<Vec<Event>>;

    /// Returns at most `limit` events of all audiences after the cursor, oldest first. The broker of each
    /// process reads them.
    async fn next(&self, cursor: Position, limit: i64) -> Result<Vec<Event>>;

    /// Returns the range of positions in the log.
    async fn span(&self) -> Result<Span>;

    /// Returns whether this position was assigned, even if its event cannot be read here yet: a copy of the log
    /// is behind it.
    async fn is_assigned(&self, position: Position) -> Result<bool> {
        Ok(position <= self.span().await?.head)
    }

    /// Waits until the log may have events after this position, or until `patience` is over.
    async fn wait_beyond(&self, position: Position, patience: Duration);
}
