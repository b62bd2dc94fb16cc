//! The copy under load: writers that stall and are killed, relays that all hold the lease at once and are killed
//! anywhere, a table that fails at random, and readers that reconnect from their cursor.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use messenger_core::{
    FeedCopySettings, Result,
    event::NewEvent,
    id::Position,
    lease::Lease,
    port::{FeedCopies, FeedCopy, FeedCopyPorts, RelayLag},
};
use messenger_devstack::database::run_in_stalling_transactions;
use messenger_store::PgStore;
use messenger_testkit::log::{Committed, OnFailure, Reader, audiences, event, wire, write};
use tokio::time::{sleep, timeout};

use crate::{
    fault_proxy::{Fault, FaultProxy},
    fixture::{RunningRelay, TestCopy},
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

/// Appends in transactions that stall. Returns the events that were committed.
async fn stall(url: String, writer: usize) -> Vec<NewEvent> {
    let events: Vec<_> = (0..15).map(|n| event(writer, n)).collect();
    let wires: Vec<_> = events.iter().map(wire).collect();
    let committed = run_in_stalling_transactions(&url, "select append_events($1)", &wires).await;
    committed.expect("transactions").into_iter().map(|n| events[n].clone()).collect()
}

/// Runs relays one after the other, and kills each after some time.
async fn relay(settings: FeedCopySettings, ports: FeedCopyPorts, done: Arc<AtomicBool>) {
    while !done.load(Ordering::SeqCst) {
        let _running = RunningRelay::start(&settings, ports.clone());
        sleep(Duration::from_millis(rand::random_range(50..1500))).await;
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
        ..FeedCopyPorts::new(Arc::new(store), copy.clock.clone())
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
    let reader = || Reader {
        is_complete: copied.clone(),
        on_failure: OnFailure::Retry,
        patience: Duration::from_millis(50),
    };
    let readers: Vec<_> = (0..READERS)
        .map(|n| {
            let audience: Vec<_> = audiences().into_iter().take(n + 1).collect();
            (audience.clone(), tokio::spawn(reader().read(copy.feed_with(&proxied), audience)))
        })
        .collect();
    let broker = tokio::spawn(reader().read_positions(copy.feed_with(&proxied)));
    let pause = Duration::from_millis(20);
    let mut writers: Vec<_> =
        (0..WRITERS).map(|writer| tokio::spawn(write(copy.beside(), writer, EVENTS_EACH, pause))).collect();
    for writer in WRITERS..WRITERS + STALLING_WRITERS {
        writers.push(tokio::spawn(stall(copy.url().to_owned(), writer)));
    }
    let mut committed = Committed::default();
    for writer in writers {
        committed.add(writer.await.expect("the writer ends"));
    }
    sleep(Duration::from_secs(5)).await;
    killed.store(true, Ordering::SeqCst);
    for relay in relays {
        relay.await.expect("it is killed");
    }
    proxy.set(Fault::None);
    let _last = RunningRelay::start(&copy.settings, ports(copy.beside()));
    copy.copied(&feed, Position(i64::try_from(committed.count()).expect("a position"))).await;
    copied.store(true, Ordering::SeqCst);

    for (audience, reader) in readers {
        let seen = timeout(Duration::from_mins(1), reader).await.expect("in time").expect("the reader ends");
        committed.check_read(&audience, &seen);
    }
    let positions = timeout(Duration::from_mins(1), broker).await.expect("in time").expect("the broker ends");
    committed.check_positions(&positions);
}
