//! A migrated database of its own for each test.

use std::{sync::Arc, time::Duration};

use messenger_core::Ports;
use messenger_devstack::{TestDatabase, database::template};
use messenger_store::{PgStore, StoreConfig, migrate, schema};
use messenger_testkit::{MemoryHomeserver, TestClock, TransparentVault};
use tokio_postgres::{Client, NoTls};

/// A store on a database that is dropped with this value.
pub(crate) struct TestStore {
    store: Arc<PgStore>,
    database: TestDatabase,
}

impl TestStore {
    /// Creates a database.
    pub(crate) async fn create() -> Self {
        let name = template("messenger", schema(), async |url: &str| Ok(migrate(url).await?)).await;
        let database = TestDatabase::create(Some(&name.expect("a template"))).await.expect("a database");
        let store = Arc::new(Self::connect(database.url()));
        Self { store, database }
    }

    /// Returns a store of another process on the same database.
    pub(crate) fn beside(&self) -> PgStore {
        Self::connect(self.database.url())
    }

    /// Opens a connection outside the store.
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(self.url(), NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    /// Returns the URL of the database.
    pub(crate) fn url(&self) -> &str {
        self.database.url()
    }

    /// Returns the ports of this store.
    pub(crate) fn ports(&self) -> Ports {
        let homeserver = Arc::new(MemoryHomeserver::default());
        Ports::new(
            self.store.clone(),
            homeserver.clone(),
            homeserver,
            Arc::new(TransparentVault),
            Arc::new(TestClock::default()),
        )
    }

    fn connect(url: &str) -> PgStore {
        let config =
            StoreConfig { database_url: url.to_owned(), pool_size: 8, connect_wait: Duration::from_secs(30) };
        PgStore::new(&config).expect("a store")
    }
}
