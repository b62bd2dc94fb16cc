//! The connection pool of a process. Every wait has a limit, and every statement is prepared once per
//! connection.

use std::{
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, QueueMode, RecyclingMethod, Runtime,
    Timeouts,
};
use messenger_core::{Error, Result, error::Failure, lock};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Row, types::ToSql};

use crate::{
    connection::Connector,
    error::{Context, failure, fault},
};

/// Time limit of a statement here; that of the server is a little shorter.
const STATEMENT_WAIT: Duration = Duration::from_secs(5);
/// Longest time without use after which a connection is not checked, in a process that may be suspended.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// Time limit of the check of a connection after a suspension.
const CHECK_WAIT: Duration = Duration::from_millis(300);
/// The pause between two attempts to connect to a server that starts, stops or is away.
const CONNECT_PAUSE: Duration = Duration::from_millis(100);

/// The figures of the connection pool at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolFigures {
    /// The number of connections that are in use.
    pub used: usize,
    /// The number of open connections that are not in use.
    pub idle: usize,
    /// The most connections.
    pub max: usize,
    /// The number of statements that wait for a connection.
    pub waiting: usize,
}

/// Statements on the pool.
#[derive(Clone)]
pub(crate) struct Database {
    /// `None` in a process without a database, where each statement is an error.
    pool: Option<Pool>,
    wait: Duration,
    statements: Arc<AtomicU64>,
    suspended: Suspended,
}

/// The time at which the process was last suspended; `None` if it never was.
type Suspended = Arc<Mutex<Option<std::time::Instant>>>;

impl Database {
    /// Creates the pool without I/O. `wait` is the time limit for getting a connection, and for opening one; no
    /// attempt to open one begins after it.
    pub(crate) fn new(connector: Connector, size: usize, wait: Duration) -> Result<Self> {
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let suspended = Suspended::default();
        let timeouts = Timeouts { wait: Some(wait), create: Some(wait), recycle: Some(wait) };
        let pool = Pool::builder(Manager::from_connect(connector.config().clone(), connector, manager))
            .max_size(size)
            .timeouts(timeouts)
            // The connection that was used last has warm caches.
            .queue_mode(QueueMode::Lifo)
            .pre_recycle(check_after(suspended.clone()))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| fault(Failure::Broken, "preparing the connection pool", error))?;
        Ok(Self { pool: Some(pool), wait, statements: Arc::default(), suspended })
    }

    /// Returns that of a process without a database.
    pub(crate) fn absent() -> Self {
        Self { pool: None, wait: Duration::ZERO, statements: Arc::default(), suspended: Arc::default() }
    }

    /// Stores that the process may be suspended now or was until now: connections can die unnoticed meanwhile.
    pub(crate) fn suspended(&self) {
        *lock(&self.suspended) = Some(std::time::Instant::now());
    }

    /// Returns the number of statements that this process has executed.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Returns the figures of the connection pool.
    pub(crate) fn figures(&self) -> PoolFigures {
        let Some(pool) = &self.pool else { return PoolFigures::default() };
        let status = pool.status();
        PoolFigures {
            used: status.size.saturating_sub(status.available),
            idle: status.available,
            max: status.max_size,
            waiting: status.waiting,
        }
    }

    /// Executes a statement, and returns its rows.
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

    /// Executes a statement with at most one row, and returns it.
    pub(crate) async fn query_opt(
        &self,
        context: &'static str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>> {
        Ok(self.query(context, sql, parameters).await?.into_iter().next())
    }

    /// Executes a statement with exactly one row, and returns it.
    pub(crate) async fn query_one(
        &self,
        context: &'static str,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Row> {
        self.query_opt(context, sql, parameters)
            .await?
            .ok_or_else(|| fault(Failure::Broken, context, "the statement returned no row"))
    }

    /// Executes a statement, and returns the number of changed rows.
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

    /// Returns a connection. Within the time limit, waits for a server that does not accept any.
    async fn client(&self, context: &'static str) -> Result<Client> {
        let pool = self.pool.as_ref().ok_or_else(|| {
            Error::internal(context, "this process has no database: DATABASE_URL is not set")
        })?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + self.wait;
        loop {
            match pool.get().await {
                Err(PoolError::Backend(error))
                    if failure(&error) == Failure::Unreachable
                        && Instant::now() + CONNECT_PAUSE < deadline =>
                {
                    sleep(CONNECT_PAUSE).await;
                }
                result => return result.context(context),
            }
        }
    }
}

/// Returns the hook that makes a round trip on a connection before its first use after a suspension. A dead
/// connection is replaced. In a process that is never suspended it does nothing.
fn check_after(suspended: Suspended) -> Hook {
    Hook::async_fn(move |client, metrics| {
        let last_used = metrics.recycled.unwrap_or(metrics.created);
        let is_alive = |suspended| last_used > suspended && last_used.elapsed() < IDLE_MAX;
        let is_checked = lock(&suspended).is_none_or(is_alive);
        Box::pin(async move {
            if is_checked {
                return Ok(());
            }
            match timeout(CHECK_WAIT, client.simple_query("")).await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) => Err(HookError::Backend(error)),
                Err(_) => Err(HookError::message("the connection is dead")),
            }
        })
    })
}

/// Awaits a statement within its time limit.
async fn within<T>(
    context: &'static str,
    statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T> {
    match timeout(STATEMENT_WAIT, statement).await {
        Ok(result) => result.context(context),
        Err(elapsed) => Err(fault(Failure::TimedOut, context, elapsed)),
    }
}

/// Converts a duration to the seconds of a `double precision` parameter.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// Converts the seconds of a `double precision` result to a duration. They are negative after the clock was set
/// back, which counts as zero.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}
