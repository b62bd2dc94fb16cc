//! A database and a table of its own for each test.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use messenger_core::{
    FeedCopySettings, Ports, Result,
    audiences::Audiences,
    cursor::Span,
    event::{Event, NewEvent},
    id::Position,
    port::{Feed, FeedCopies, FeedCopyPorts, Relay},
};
use messenger_devstack::{TestDatabase, database::template, dynoxide};
use messenger_dynamo::{DynamoFeed, DynamoRelay, Table};
use messenger_store::{PgStore, StoreConfig, migrate, schema};
use messenger_testkit::{MemoryHomeserver, TestClock, TransparentVault};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::Client;
use uuid::Uuid;

/// The time within which a busy machine copies the events of a test.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const RETENTION: Duration = Duration::from_hours(7 * 24);

/// A database, and the table of its copy.
pub(crate) struct TestCopy {
    pub(crate) settings: FeedCopySettings,
    pub(crate) clock: Arc<TestClock>,
    store: Arc<PgStore>,
    database: TestDatabase,
}

/// A relay that ends with this value, as if its process were killed.
pub(crate) struct RunningRelay {
    relay: Arc<DynamoRelay>,
    task: JoinHandle<()>,
}

impl TestCopy {
    /// Creates a database. The table does not exist yet.
    pub(crate) async fn create() -> Self {
        let name = template("messenger", schema(), async |url: &str| Ok(migrate(url).await?)).await;
        let database = TestDatabase::create(Some(&name.expect("a template"))).await.expect("a database");
        let settings = FeedCopySettings {
            table: format!("feed_{}", Uuid::new_v4().simple()),
            region: "eu-central-1".to_owned(),
            endpoint: Some(dynoxide::shared().expect("Dynoxide")),
            retention: RETENTION,
            installation: "test".to_owned(),
        };
        let store = Arc::new(connect(database.url()));
        Self { settings, clock: Arc::default(), store, database }
    }

    /// Returns the store.
    pub(crate) fn store(&self) -> &PgStore {
        &self.store
    }

    /// Returns a store of another process on the same database.
    pub(crate) fn beside(&self) -> PgStore {
        connect(self.url())
    }

    /// Returns the URL of the database.
    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    /// Opens a connection outside the store.
    pub(crate) async fn client(&self) -> Client {
        messenger_postgres::connect(self.url()).await.expect("a connection")
    }

    /// Returns the settings for the same table, at another address.
    pub(crate) fn settings_at(&self, endpoint: &str) -> FeedCopySettings {
        FeedCopySettings { endpoint: Some(endpoint.to_owned()), ..self.settings.clone() }
    }

    /// Returns the ports of another process.
    pub(crate) fn ports(&self) -> FeedCopyPorts {
        FeedCopyPorts::new(Arc::new(self.beside()), self.clock.clone())
    }

    /// Starts a relay of a process of its own.
    pub(crate) fn start_relay(&self) -> RunningRelay {
        self.start_relay_with(&self.settings)
    }

    /// Starts a relay with other settings.
    pub(crate) fn start_relay_with(&self, settings: &FeedCopySettings) -> RunningRelay {
        RunningRelay::start(settings, self.ports())
    }

    /// Returns the feed of a process of its own.
    pub(crate) fn feed(&self) -> DynamoFeed {
        self.feed_with(&self.settings)
    }

    /// Returns a feed with other settings.
    pub(crate) fn feed_with(&self, settings: &FeedCopySettings) -> DynamoFeed {
        DynamoFeed::new(Arc::new(Table::new(settings)), self.ports())
    }

    /// Appends events, and returns the new head of the log.
    pub(crate) async fn append(&self, events: &[NewEvent]) -> Position {
        self.store.append(events).await.expect("an append");
        self.store.span().await.expect("a span").head
    }

    /// Waits until the copy has a position.
    pub(crate) async fn copied(&self, feed: &DynamoFeed, position: Position) {
        let begun = Instant::now();
        loop {
            let span = feed.span().await;
            if span.as_ref().is_ok_and(|span| span.head >= position) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{position:?} is not copied: {span:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the database knows that the copy has all events.
    pub(crate) async fn settled(&self) {
        let settling = async {
            while self.store.lag().await.expect("a lag").events > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, settling).await.expect("the relay stores its position");
    }

    /// Releases the lease of a relay that was killed, which would run out by itself.
    pub(crate) async fn release_lease(&self) {
        let client = self.client().await;
        client.execute("update feed_copy set lease_until = now()", &[]).await.expect("an update");
    }
}

impl RunningRelay {
    pub(crate) fn start(settings: &FeedCopySettings, ports: FeedCopyPorts) -> Self {
        let relay = Arc::new(DynamoRelay::new(Arc::new(Table::new(settings)), ports, settings));
        let (running, name) = (relay.clone(), Uuid::new_v4().simple().to_string());
        let task = tokio::spawn(async move { running.run(&name, &|| {}).await });
        Self { relay, task }
    }

    /// Returns the number of refused writes.
    pub(crate) fn throttled(&self) -> u64 {
        self.relay.figures().throttled
    }
}

impl Drop for RunningRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The feed of a copy that is read as the log itself: each call waits until the copy has all events of the
/// log.
pub(crate) struct CaughtUp {
    pub(crate) log: Arc<PgStore>,
    pub(crate) copy: DynamoFeed,
}

impl CaughtUp {
    async fn catch_up(&self) -> Result<()> {
        let head = self.log.span().await?.head;
        let catching_up = async {
            while !self.copy.span().await.is_ok_and(|span| span.head >= head) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, catching_up).await.expect("the relay copies the log");
        Ok(())
    }
}

#[async_trait]
impl Feed for CaughtUp {
    async fn append(&self, events: &[NewEvent]) -> Result<usize> {
        self.copy.append(events).await
    }

    async fn after(&self, cursor: Position, audiences: &Audiences, limit: i64) -> Result<Vec<Event>> {
        self.catch_up().await?;
        self.copy.after(cursor, audiences, limit).await
    }

    async fn next(&self, cursor: Position, limit: i64) -> Result<Vec<Event>> {
        self.catch_up().await?;
        self.copy.next(cursor, limit).await
    }

    async fn span(&self) -> Result<Span> {
        self.catch_up().await?;
        self.copy.span().await
    }

    async fn wait_beyond(&self, position: Position, patience: Duration) {
        self.copy.wait_beyond(position, patience).await;
    }
}

/// A database with a relay, for the contract.
pub(crate) struct RelayedStore {
    ports: Ports,
    _relay: RunningRelay,
    _copy: TestCopy,
}

impl RelayedStore {
    pub(crate) async fn create() -> Self {
        let copy = TestCopy::create().await;
        let homeserver = Arc::new(MemoryHomeserver::default());
        let ports = Ports::new(
            copy.store.clone(),
            homeserver.clone(),
            homeserver,
            Arc::new(TransparentVault),
            Arc::new(TestClock::default()),
        );
        let feed = CaughtUp { log: copy.store.clone(), copy: copy.feed() };
        let ports = Ports { feed: Arc::new(feed), ..ports };
        Self { ports, _relay: copy.start_relay(), _copy: copy }
    }

    pub(crate) fn ports(&self) -> Ports {
        self.ports.clone()
    }
}

fn connect(url: &str) -> PgStore {
    let (database_url, connect_wait) = (url.to_owned(), Duration::from_secs(30));
    PgStore::new(&StoreConfig { database_url, listen_url: None, pool_size: 4, connect_wait })
        .expect("a store")
}

/// Calls an operation of the API of DynamoDB, as another client.
pub(crate) async fn call(copy: &TestCopy, operation: &str, body: &serde_json::Value) {
    let answer = reqwest::Client::new()
        .post(copy.settings.endpoint.as_deref().expect("an endpoint"))
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-date", "20260131T120000Z")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=a/20260131/eu-central-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=0",
        )
        .body(body.to_string())
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
}
