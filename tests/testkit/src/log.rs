//! Writers and readers of an event log under load, and the events that they write.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use messenger_core::{
    event::{Audience, Kind, NewEvent, Payload},
    id::{HubUserId, Position, TenantId},
    port::Feed,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fixtures;

/// The reaction of a reader to a page that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The test fails.
    Panic,
    /// The reader reads the page again.
    Retry,
}

/// A reader that ends once it has found nothing more after `is_complete` was set.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Set when all events can be read.
    pub is_complete: Arc<AtomicBool>,
    /// The reaction to a page that fails.
    pub on_failure: OnFailure,
    /// The longest wait for further events.
    pub patience: Duration,
}

/// The events that writers have committed.
#[derive(Debug, Default)]
pub struct Committed(BTreeMap<String, BTreeSet<String>>);

/// Returns four audiences, of which the last is of another tenant.
pub fn audiences() -> Vec<Audience> {
    let user = |name: &str| Audience::User(TenantId(1), HubUserId::new(name));
    vec![Audience::Tenant(TenantId(1)), user("a"), user("b"), Audience::Tenant(TenantId(2))]
}

/// Returns the n-th event of a writer. Its audience is one of all.
pub fn event(writer: usize, n: usize) -> NewEvent {
    event_for(audiences().swap_remove((writer + n) % 4), writer, n)
}

/// Returns the n-th event of a writer for an audience.
pub fn event_for(audience: Audience, writer: usize, n: usize) -> NewEvent {
    let payload = Payload::of(&json!({ "writer": writer, "n": n })).expect("an object");
    NewEvent { audience, kind: Kind::NewMessage, room: None, payload, key: None }
}

/// Returns audience and payload of an event.
pub fn line(audience: &Audience, payload: &Payload) -> String {
    format!("{audience} {}", payload.as_str())
}

/// Returns the argument of the SQL function `append_events` for one event.
pub fn wire(event: &NewEvent) -> Value {
    json!([{
        "n": 0, "tenant_id": event.audience.tenant(), "audience": event.audience.to_string(),
        "kind": "new_message", "payload": event.payload.as_str(), "key": null,
    }])
}

/// Appends events of a writer in batches, with a pause after each. Returns them.
pub async fn write(feed: impl Feed, writer: usize, count: usize, pause: Duration) -> Vec<NewEvent> {
    let events: Vec<_> = (0..count).map(|n| event(writer, n)).collect();
    for batch in events.chunks(1 + writer % 4) {
        assert_eq!(feed.append(batch).await.expect("an append"), batch.len());
        sleep(pause).await;
    }
    events
}

impl Reader {
    /// Reads pages from a cursor, as a reader that reconnects for each page.
    pub async fn read(self, feed: impl Feed, audiences: Vec<Audience>) -> Vec<(Position, String)> {
        let mut seen = Vec::new();
        let mut cursor = Position(0);
        loop {
            let is_last = self.is_complete.load(Ordering::SeqCst);
            let Some(page) = self.page(feed.after(cursor, &fixtures::all_of(&audiences), 7).await) else {
                continue;
            };
            if page.is_empty() {
                if is_last {
                    return seen;
                }
                feed.wait_beyond(cursor, self.patience).await;
            }
            for event in page {
                assert!(event.position > cursor, "{:?} after {cursor:?}", event.position);
                cursor = event.position;
                seen.push((event.position, line(&event.audience, &event.payload)));
            }
        }
    }

    /// Reads all events, as the broker does, and returns their positions.
    pub async fn read_positions(self, feed: impl Feed) -> Vec<Position> {
        let mut seen = Vec::new();
        let mut cursor = Position(0);
        loop {
            let is_last = self.is_complete.load(Ordering::SeqCst);
            let Some(page) = self.page(feed.next(cursor, 100).await) else { continue };
            if page.is_empty() && is_last {
                return seen;
            }
            seen.extend(page.iter().map(|event| event.position));
            cursor = seen.last().copied().unwrap_or(cursor);
            feed.wait_beyond(cursor, self.patience).await;
        }
    }

    fn page<T>(&self, page: messenger_core::Result<T>) -> Option<T> {
        match self.on_failure {
            OnFailure::Panic => Some(page.expect("a page")),
            OnFailure::Retry => page.ok(),
        }
    }
}

impl Committed {
    /// Adds events of a writer, each of which is unique.
    pub fn add(&mut self, events: Vec<NewEvent>) {
        for event in events {
            let line = line(&event.audience, &event.payload);
            assert!(self.0.entry(event.audience.to_string()).or_default().insert(line));
        }
    }

    /// Returns the number of all events.
    pub fn count(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Checks that a reader has read each event of its audiences once.
    pub fn check_read(&self, audiences: &[Audience], seen: &[(Position, String)]) {
        let lines: BTreeSet<_> = seen.iter().map(|(_, line)| line.clone()).collect();
        assert_eq!(lines.len(), seen.len(), "something was read twice");
        let expected = audiences.iter().filter_map(|one| self.0.get(&one.to_string()));
        let expected: BTreeSet<_> = expected.flatten().cloned().collect();
        assert_eq!(lines, expected, "{audiences:?}");
    }

    /// Checks that the positions of all events are in order and without gaps.
    pub fn check_positions(&self, positions: &[Position]) {
        let dense: Vec<_> = (1..).take(self.count()).map(Position).collect();
        assert_eq!(positions, dense, "positions are in order and without gaps");
    }
}
