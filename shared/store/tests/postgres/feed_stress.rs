//! The event log under load: many writers, of which some stall before they commit and some lose their
//! connection. Every reader reads each event of its audience once and in order, and reconnects from its
//! cursor.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use messenger_core::{
    event::{Audience, Kind, NewEvent, Payload},
    id::{HubUserId, Position, TenantId},
    port::Feed,
};
use messenger_postgres::ConnectionString;
use messenger_store::PgStore;
use messenger_testkit::fixtures;
use serde_json::json;

use crate::database::TestStore;

const WRITERS: usize = 16;
const EVENTS_EACH: usize = 150;
const READERS: usize = 4;

fn audiences() -> Vec<Audience> {
    let user = |name: &str| Audience::User(TenantId(1), HubUserId::new(name));
    vec![Audience::Tenant(TenantId(1)), user("a"), user("b"), Audience::Tenant(TenantId(2))]
}

fn event(writer: usize, n: usize) -> NewEvent {
    let audience = audiences().swap_remove((writer + n) % 4);
    let payload = Payload::of(&json!({ "writer": writer, "n": n })).expect("an object");
    NewEvent { audience, kind: Kind::NewMessage, room: None, payload, key: None }
}

/// Appends in batches.
async fn write(store: PgStore, writer: usize) -> Vec<NewEvent> {
    let events: Vec<_> = (0..EVENTS_EACH).map(|n| event(writer, n)).collect();
    for batch in events.chunks(1 + writer % 4) {
        assert_eq!(store.append(batch).await.expect("an append"), batch.len());
    }
    events
}

/// Appends in transactions that stall; some are rolled back, and some lose their connection before the
/// commit.
async fn stall(url: String, writer: usize) -> Vec<NewEvent> {
    let mut committed = Vec::new();
    let address = ConnectionString::parse(&url).expect("a connection string");
    for n in 0..30 {
        let tls = address.tls().expect("a connector");
        let (mut client, connection) = address.config().connect(tls).await.expect("a connection");
        let connection = tokio::spawn(connection);
        let event = event(writer, n);
        let wire = json!([{
            "n": 0, "tenant_id": event.audience.tenant(), "audience": event.audience.to_string(),
            "kind": "new_message", "payload": event.payload.as_str(), "key": null,
        }]);
        let transaction = client.transaction().await.expect("a transaction");
        transaction.query_one("select append_events($1)", &[&wire]).await.expect("an append");
        tokio::time::sleep(Duration::from_millis(7 * (n as u64 % 4))).await;
        match n % 3 {
            0 => {
                transaction.commit().await.expect("a commit");
                committed.push(event);
            }
            1 => transaction.rollback().await.expect("a rollback"),
            // As if the process were killed.
            _ => connection.abort(),
        }
    }
    committed
}

/// Reads pages from a cursor, as a reader that reconnects for each page.
async fn read(store: PgStore, audience: Vec<Audience>, done: Arc<AtomicBool>) -> Vec<(Position, String)> {
    let mut seen = Vec::new();
    let mut cursor = Position(0);
    loop {
        let is_last = done.load(Ordering::SeqCst);
        let page = store.after(cursor, &fixtures::all_of(&audience), 7).await.expect("a page");
        if page.is_empty() {
            if is_last {
                return seen;
            }
            store.wait_beyond(cursor, Duration::from_millis(20)).await;
        }
        for event in page {
            assert!(event.position > cursor, "{:?} after {cursor:?}", event.position);
            cursor = event.position;
            seen.push((event.position, format!("{} {}", event.audience, event.payload.as_str())));
        }
    }
}

/// Reads all events, as the broker does, and returns their positions.
async fn broker(store: PgStore, done: Arc<AtomicBool>) -> Vec<Position> {
    let mut seen = Vec::new();
    let mut cursor = Position(0);
    loop {
        let is_last = done.load(Ordering::SeqCst);
        let page = store.next(cursor, 100).await.expect("a page");
        if page.is_empty() && is_last {
            return seen;
        }
        seen.extend(page.iter().map(|event| event.position));
        cursor = seen.last().copied().unwrap_or(cursor);
        store.wait_beyond(cursor, Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_reads_each_event_of_its_audience_once_and_in_order() {
    let database = TestStore::create().await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..READERS)
        .map(|n| {
            let audience =
                audiences().into_iter().filter(|one| n == 0 || one.tenant() == TenantId(1)).take(n + 1);
            let audience: Vec<_> = audience.collect();
            (audience.clone(), tokio::spawn(read(database.beside(), audience, done.clone())))
        })
        .collect();
    let broker = tokio::spawn(broker(database.beside(), done.clone()));
    let stores = [database.beside(), database.beside(), database.beside()];
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        writers.push(tokio::spawn(write(stores[writer % 3].clone(), writer)));
    }
    for writer in WRITERS..WRITERS + 3 {
        writers.push(tokio::spawn(stall(database.url().to_owned(), writer)));
    }
    let mut committed = BTreeMap::<String, BTreeSet<String>>::new();
    for writer in writers {
        for event in writer.await.expect("the writer ends") {
            let line = format!("{} {}", event.audience, event.payload.as_str());
            assert!(committed.entry(event.audience.to_string()).or_default().insert(line));
        }
    }
    done.store(true, Ordering::SeqCst);

    for (audience, reader) in readers {
        let seen = reader.await.expect("the reader ends");
        let lines: BTreeSet<_> = seen.iter().map(|(_, line)| line.clone()).collect();
        assert_eq!(lines.len(), seen.len(), "something was read twice");
        let expected: BTreeSet<_> = audience
            .iter()
            .flat_map(|one| committed.get(&one.to_string()).cloned().unwrap_or_default())
            .collect();
        assert_eq!(lines, expected, "{audience:?}");
    }
    let positions = broker.await.expect("the broker ends");
    let all = committed.values().map(BTreeSet::len).sum::<usize>();
    let dense: Vec<_> = (1..).take(all).map(Position).collect();
    assert_eq!(positions, dense, "positions are in order and without gaps");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_several_processes_append_is_stored_once() {
    let database = TestStore::create().await;
    let added = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (store, added) = (database.beside(), added.clone());
            tokio::spawn(async move {
                for n in 0..50 {
                    let key = Some(messenger_core::id::EventId::new(format!("$event{n}")));
                    let one = NewEvent { key, ..event(0, n) };
                    added.fetch_add(store.append(&[one]).await.expect("an append"), Ordering::SeqCst);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("the writer ends");
    }
    assert_eq!(added.load(Ordering::SeqCst), 50);
    assert_eq!(database.beside().span().await.expect("a span").head, Position(50));
}
