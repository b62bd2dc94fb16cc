//! The copy under load: writers that stall and are killed, relays that all hold the lease at once and are killed
//! anywhere, a table that fails at random, and readers that reconnect from their cursor.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use messenger_core::{
    FeedCopySettings, Result,
    event::{Audience, NewEvent},
    id::Position,
    lease::Lease,
    port::{Feed, FeedCopies, FeedCopy, FeedCopyPorts, RelayLag},
};
use messenger_dynamo::DynamoFeed;
use messenger_postgres::ConnectionString;
use messenger_store::PgStore;
use messenger_testkit::fixtures;
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::{
    fault_proxy::{Fault, FaultProxy},
    fixture::{RunningRelay, TestCopy},
    log::{audiences, event, line, new_line},
};

const WRITERS: usize = 16;
const STALLING_WRITERS: usize = 8;
const EVENTS_EACH: usize = 60;
const RELAYS: usize = 3;
const READERS: usize = 4;

/// A lease that does not exclude: all relays are one to the database.
struct SharedLease(PgStore);

#[async_trait]
impl FeedCopies for SharedLease {
    async fn claim(&self, _: &str, lease: Duration, retention: Duration) -> Result<Lease<FeedCopy>> {
        self.0.claim("shared", lease, retention).await
    }

    async fn replace(&self, _: &str) -> Result<Lease<FeedCopy>> {
        self.0.replace("shared").await
    }

    async fn announce(&self, _: &str, copy: &str, to: Position, lease: Duration) -> Result<Lease<()>> {
        self.0.announce("shared", copy, to, lease).await
    }

    async fn relayed(&self, _: &str, copy: &str, to: Position) -> Result<Lease<()>> {
        self.0.relayed("shared", copy, to).await
    }

    async fn release(&self, _: &str) -> Result<()> {
        Ok(())
    }

    async fn copy(&self) -> Result<Option<String>> {
        self.0.copy().await
    }

    async fn lag(&self) -> Result<RelayLag> {
        self.0.lag().await
    }
}

/// Appends in batches.
async fn write(store: PgStore, writer: usize) -> Vec<NewEvent> {
    let events: Vec<_> = (0..EVENTS_EACH).map(|n| event(writer, n)).collect();
    for batch in events.chunks(1 + writer % 4) {
        assert_eq!(store.append(batch).await.expect("an append"), batch.len());
        sleep(Duration::from_millis(20)).await;
    }
    events
}

/// Appends in transactions that stall; some are rolled back, and some lose their connection before the commit.
async fn stall(url: String, writer: usize) -> Vec<NewEvent> {
    let mut committed = Vec::new();
    let address = ConnectionString::parse(&url).expect("a connection string");
    for n in 0..15 {
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
        sleep(Duration::from_millis(7 * (n as u64 % 4))).await;
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

/// Runs relays one after the other, and kills each after some time.
async fn relay(settings: FeedCopySettings, ports: FeedCopyPorts, done: Arc<AtomicBool>) {
    while !done.load(Ordering::SeqCst) {
        let _running = RunningRelay::start(&settings, ports.clone());
        sleep(Duration::from_millis(rand::random_range(50..1500))).await;
    }
}

/// Reads pages from a cursor, as a reader that reconnects for each page, until the copy has all events.
async fn read(feed: DynamoFeed, audience: Vec<Audience>, all: Arc<AtomicBool>) -> Vec<(Position, String)> {
    let mut seen = Vec::new();
    let mut cursor = Position(0);
    loop {
        let is_last = all.load(Ordering::SeqCst);
        let Ok(page) = feed.after(cursor, &fixtures::all_of(&audience), 7).await else { continue };
        if page.is_empty() {
            if is_last {
                return seen;
            }
            feed.wait_beyond(cursor, Duration::from_millis(50)).await;
        }
        for event in page {
            assert!(event.position > cursor, "{:?} after {cursor:?}", event.position);
            cursor = event.position;
            seen.push((event.position, line(&event)));
        }
    }
}

/// Reads all events, as the broker does, and returns their positions.
async fn broker(feed: DynamoFeed, all: Arc<AtomicBool>) -> Vec<Position> {
    let mut seen = Vec::new();
    let mut cursor = Position(0);
    loop {
        let is_last = all.load(Ordering::SeqCst);
        let Ok(page) = feed.next(cursor, 100).await else { continue };
        if page.is_empty() && is_last {
            return seen;
        }
        seen.extend(page.iter().map(|event| event.position));
        cursor = seen.last().copied().unwrap_or(cursor);
        feed.wait_beyond(cursor, Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_of_the_copy_reads_each_event_of_its_audience_once_and_in_order() {
    let copy = TestCopy::create().await;
    let proxy = FaultProxy::in_front_of(copy.settings.endpoint.as_deref().expect("an endpoint")).await;
    let proxied = copy.settings_at(proxy.url());
    let (killed, copied) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let ports = |store: PgStore| FeedCopyPorts {
        copies: Arc::new(SharedLease(copy.beside())),
        ..FeedCopyPorts::new(Arc::new(store))
    };
    let feed = copy.feed();
    {
        let _first = RunningRelay::start(&copy.settings, ports(copy.beside()));
        copy.copied(&feed, Position(0)).await;
    }
    proxy.set(Fault::Random);
    let relays: Vec<_> = (0..RELAYS)
        .map(|_| tokio::spawn(relay(proxied.clone(), ports(copy.beside()), killed.clone())))
        .collect();
    let readers: Vec<_> = (0..READERS)
        .map(|n| {
            let audience: Vec<_> = audiences().into_iter().take(n + 1).collect();
            (audience.clone(), tokio::spawn(read(copy.feed_with(&proxied), audience, copied.clone())))
        })
        .collect();
    let broker = tokio::spawn(broker(copy.feed_with(&proxied), copied.clone()));
    let mut writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(copy.beside(), writer))).collect();
    for writer in WRITERS..WRITERS + STALLING_WRITERS {
        writers.push(tokio::spawn(stall(copy.url().to_owned(), writer)));
    }
    let mut committed = BTreeMap::<String, BTreeSet<String>>::new();
    for writer in writers {
        for event in writer.await.expect("the writer ends") {
            let audience = event.audience.to_string();
            assert!(committed.entry(audience).or_default().insert(new_line(&event)));
        }
    }
    let all = committed.values().map(BTreeSet::len).sum::<usize>();
    sleep(Duration::from_secs(5)).await;
    killed.store(true, Ordering::SeqCst);
    for relay in relays {
        relay.await.expect("it is killed");
    }
    proxy.set(Fault::None);
    let _last = RunningRelay::start(&copy.settings, ports(copy.beside()));
    copy.copied(&feed, Position(i64::try_from(all).expect("a position"))).await;
    copied.store(true, Ordering::SeqCst);

    for (audience, reader) in readers {
        let seen = timeout(Duration::from_mins(1), reader).await.expect("in time").expect("the reader ends");
        let lines: BTreeSet<_> = seen.iter().map(|(_, line)| line.clone()).collect();
        assert_eq!(lines.len(), seen.len(), "something was read twice");
        let expected: BTreeSet<_> = audience
            .iter()
            .flat_map(|one| committed.get(&one.to_string()).cloned().unwrap_or_default())
            .collect();
        assert_eq!(lines, expected, "{audience:?}");
    }
    let positions = timeout(Duration::from_mins(1), broker).await.expect("in time").expect("the broker ends");
    let dense: Vec<_> = (1..).take(all).map(Position).collect();
    assert_eq!(positions, dense, "positions are in order and without gaps");
}
