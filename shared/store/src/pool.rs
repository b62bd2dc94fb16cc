//! Connections: one pool per process, every wait bounded, every statement prepared once.

use std::{
    future::Future,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Pool, QueueMode, RecyclingMethod, Runtime, Timeouts,
};
use messenger_core::{Error, Result, error::Failure};
use tokio::{sync::OnceCell, time::timeout};
use tokio_postgres::{Config, NoTls, Row, config::SslMode, types::ToSql};

use crate::{
    accept::Acceptor,
    error::{Context, fault},
    listener::PgListener,
    local_appends::LocalAppends,
};

/// Default time that a call waits for a connection before it answers that the database is away: the health check has
/// a second.
pub const CONNECT_WAIT: Duration = Duration::from_millis(700);
/// How long a statement may take, here and (a little less) in the server.
const STATEMENT_WAIT: Duration = Duration::from_secs(5);

const LIMITS: &str =
    "-c statement_timeout=4500 -c lock_timeout=4000 -c idle_in_transaction_session_timeout=5000";
/// Each statement is planned once for each connection, since for the small ones planning costs more than the call; and so
/// that its plan holds when the tables have grown, none reads a whole table. (What has no other way does, at a price that
/// would make PostgreSQL compile the statement.)
const PLANS: &str = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c jit=off";

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// A connection string, `postgres://…` or `host=… user=…`.
    pub database_url: String,
    /// Most connections of this process, beside one that listens.
    pub pool_size: usize,
    /// Longest wait for a connection, be it a free one of the pool or a new one.
    pub connect_wait: Duration,
}

/// The ports on PostgreSQL. Cheap to clone; connects when first used.
#[derive(Clone)]
pub struct PgStore {
    pub(crate) database: Database,
    pub(crate) listener: Arc<PgListener>,
    pub(crate) local_appends: Arc<LocalAppends>,
    acceptor: Arc<OnceCell<Acceptor>>,
}

/// The pool, and statements on it.
#[derive(Clone)]
pub(crate) struct Database {
    pool: Pool,
    statements: Arc<AtomicU64>,
}

impl PgStore {
    /// Prepares a pool. Does no I/O.
    ///
    /// # Errors
    /// When the connection string is wrong.
    pub fn new(config: &StoreConfig) -> Result<Self> {
        let wait = Some(config.connect_wait);
        let mut postgres = connection(&config.database_url)?;
        postgres.connect_timeout(config.connect_wait);
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let timeouts = Timeouts { wait, create: wait, recycle: wait };
        let pool = Pool::builder(Manager::from_config(postgres.clone(), NoTls, manager))
            .max_size(config.pool_size)
            .timeouts(timeouts)
            // The connection that was used last has its plans and pages at hand.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| fault(Failure::Broken, "preparing the connection pool", error))?;
        let listener = Arc::new(PgListener::new(postgres));
        Ok(Self {
            database: Database { pool, statements: Arc::default() },
            local_appends: Arc::new(LocalAppends::new(listener.clone())),
            listener,
            acceptor: Arc::default(),
        })
    }

    /// The group commit of this process; starts with the first notification.
    pub(crate) async fn acceptor(&self) -> &Acceptor {
        self.acceptor
            .get_or_init(|| async { Acceptor::start(self.database.clone(), self.local_appends.clone()) })
            .await
    }

    /// How many statements this process has made.
    pub fn statements(&self) -> u64 {
        self.database.statements.load(Ordering::Relaxed)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.database.execute("asking the database", "select 1", &[]).await.map(|_| ())
    }
}

impl Database {
    /// The rows of a statement.
    pub(crate) async fn query(
        &self,
        context: &'static str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>> {
        let client = self.client(context).await?;
        within(context, async {
            let statement = client.prepare_cached(sql).await?;
            client.query(&statement, parameters).await
        })
        .await
    }

    /// The row of a statement that has one at the most.
    pub(crate) async fn query_opt(
        &self,
        context: &'static str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>> {
        Ok(self.query(context, sql, parameters).await?.into_iter().next())
    }

    /// The row of a statement that always has one.
    pub(crate) async fn query_one(
        &self,
        context: &'static str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row> {
        self.query_opt(context, sql, parameters)
            .await?
            .ok_or_else(|| fault(Failure::Broken, context, "no row came back"))
    }

    /// How many rows a statement changed.
    pub(crate) async fn execute(
        &self,
        context: &'static str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<u64> {
        let client = self.client(context).await?;
        within(context, async {
            let statement = client.prepare_cached(sql).await?;
            client.execute(&statement, parameters).await
        })
        .await
    }

    async fn client(&self, context: &'static str) -> Result<Client> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.pool.get().await.context(context)
    }
}

/// What is wrong with a connection string, in words without its password.
pub fn check_url(url: &str) -> Result<(), String> {
    let config = Config::from_str(url).map_err(|error| error.to_string())?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err("it asks for TLS, which this service does not speak: leave `sslmode` out".to_owned());
    }
    Ok(())
}

/// Parses a connection string and adds our limits to it.
pub(crate) fn connection(url: &str) -> Result<Config> {
    let mut config = Config::from_str(url).map_err(|error| {
        Error::invalid("DATABASE_URL", format!("is no PostgreSQL connection string: {error}"))
    })?;
    config.connect_timeout(CONNECT_WAIT).keepalives_idle(Duration::from_secs(30));
    let settings = format!("{LIMITS} {PLANS}");
    let options =
        config.get_options().map_or_else(|| settings.clone(), |given| format!("{settings} {given}"));
    config.options(options);
    if config.get_application_name().is_none() {
        config.application_name("messenger");
    }
    Ok(config)
}

async fn within<T>(
    context: &'static str,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T> {
    match timeout(STATEMENT_WAIT, work).await {
        Ok(result) => result.context(context),
        Err(elapsed) => Err(fault(Failure::TimedOut, context, elapsed)),
    }
}

/// A duration as PostgreSQL's `double precision` seconds.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
