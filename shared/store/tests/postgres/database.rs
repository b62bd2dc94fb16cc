//! A migrated database of its own for each test.

use std::{sync::Arc, time::Duration};

use messenger_core::Ports;
use messenger_devstack::{TestDatabase, database::template};
use messenger_store::{PgStore, StoreConfig, migrate, schema};
use messenger_testkit::{MemoryHomeserver, TestClock, TransparentVault};
use tokio_postgres::Client;

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

    /// Returns the store of [`ports`](Self::ports).
    pub(crate) fn store(&self) -> &PgStore {
        &self.store
    }

    /// Opens a connection outside the store.
    pub(crate) async fn client(&self) -> Client {
        messenger_postgres::connect(self.url()).await.expect("a connection")
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
        connect(url, None)
    }
}

/// Returns a store on a database, with another connection string for its `LISTEN` connection if one is given.
pub(crate) fn connect(url: &str, listen_url: Option<String>) -> PgStore {
    let database_url = url.to_owned();
    let connect_wait = Duration::from_secs(30);
    PgStore::new(&StoreConfig { database_url, listen_url, pool_size: 8, connect_wait }).expect("a store")
}
