//! The store: the pool, the `LISTEN` connection and the group commit of a process.

use std::{sync::Arc, time::Duration};

use messenger_core::Result;
use tokio::sync::OnceCell;

use crate::{
    accept::Acceptor,
    connection::{Connector, SERVING},
    listener::PgListener,
    local_appends::LocalAppends,
    pool::{Database, PoolFigures},
};

/// Settings of the connection pool.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// A connection string, `postgres://…` or `host=… user=…`.
    pub database_url: String,
    /// The connection string of the `LISTEN` connection, which no pooler may share between transactions;
    /// `None` for that of the others.
    pub listen_url: Option<String>,
    /// Maximum number of connections of this process, besides the `LISTEN` connection.
    pub pool_size: usize,
    /// Time limit for getting a connection from the pool, and for opening one.
    pub connect_wait: Duration,
}

/// The ports on PostgreSQL. A clone is cheap. The first statement opens a connection.
#[derive(Clone)]
pub struct PgStore {
    pub(crate) database: Database,
    pub(crate) listener: Arc<PgListener>,
    pub(crate) local_appends: Arc<LocalAppends>,
    /// Whether events stay until a relay has copied them.
    pub(crate) keeps_unrelayed: bool,
    acceptor: Arc<OnceCell<Acceptor>>,
}

impl PgStore {
    /// Creates the store without I/O.
    ///
    /// # Errors
    /// Returns an error if a connection string is invalid.
    pub fn new(config: &StoreConfig) -> Result<Self> {
        let connector = Connector::new("DATABASE_URL", &config.database_url, SERVING, config.connect_wait)?;
        let listening = match &config.listen_url {
            Some(url) => Connector::new("DATABASE_LISTEN_URL", url, SERVING, config.connect_wait)?,
            None => connector.clone(),
        };
        let listener = Arc::new(PgListener::new(listening));
        Ok(Self {
            database: Database::new(connector, config.pool_size, config.connect_wait)?,
            local_appends: Arc::new(LocalAppends::new(listener.clone())),
            listener,
            keeps_unrelayed: false,
            acceptor: Arc::default(),
        })
    }

    /// Returns the store of a process without a database: each call is an error, and no signal comes.
    pub fn absent() -> Self {
        let listener = Arc::new(PgListener::absent());
        Self {
            database: Database::absent(),
            local_appends: Arc::new(LocalAppends::new(listener.clone())),
            listener,
            keeps_unrelayed: false,
            acceptor: Arc::default(),
        }
    }

    /// Makes the rotation keep events until a relay has copied them.
    #[must_use]
    pub fn keeping_unrelayed(self) -> Self {
        Self { keeps_unrelayed: true, ..self }
    }

    /// Returns the group commit of this process, and starts it if necessary.
    pub(crate) async fn acceptor(&self) -> &Acceptor {
        self.acceptor
            .get_or_init(|| async { Acceptor::start(self.database.clone(), self.local_appends.clone()) })
            .await
    }

    /// Stores that the process may be suspended now or was until now, as Lambda does between two requests: each
    /// connection is checked before its next use.
    pub fn suspended(&self) {
        self.database.suspended();
    }

    /// Returns the number of statements that this process has executed.
    pub fn statements(&self) -> u64 {
        self.database.statements()
    }

    /// Returns the figures of the connection pool.
    pub fn pool(&self) -> PoolFigures {
        self.database.figures()
    }
}
