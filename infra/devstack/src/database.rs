//! Databases for tests, in the cluster of `cargo xtask test`.
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use messenger_postgres::ConnectionString;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::environment::setting;
use crate::process::Process;

/// The environment variable with the superuser's URL of the cluster for tests.
pub const CLUSTER: &str = "MESSENGER_TEST_POSTGRES";

const END_CONNECTIONS: &str =
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1";

/// A database of one test. Dropping this value drops the database and ends its connections.
#[derive(Debug)]
pub struct TestDatabase {
    cluster: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// Creates an empty database, or a copy of `template` (see [`template`]).
    pub async fn create(template: Option<&str>) -> Result<Self> {
        let cluster = cluster()?;
        let name = format!("test_{}", Uuid::new_v4().simple());
        let copy = template.map(|template| format!(" template {}", quoted(template))).unwrap_or_default();
        let statement = format!("create database {}{copy}", quoted(&name));
        execute(&cluster, &statement).await?;
        let url = with_database(&cluster, &name);
        Ok(Self { cluster, name, url })
    }

    /// Returns the superuser's URL of this database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the name of this database.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn remove(&self) -> Result<()> {
        let statement = format!("drop database if exists {} with (force)", quoted(&self.name));
        let cluster = self.cluster.clone();
        let work = move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async { timeout(Duration::from_secs(10), execute(&cluster, &statement)).await? })
        };
        // Another thread, since this one may be inside a runtime.
        std::thread::spawn(work).join().map_err(|_| anyhow!("the thread that drops the database panicked"))?
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(database = self.name, "dropping the test database failed: {error:#}");
        }
    }
}

/// Creates a template database for [`TestDatabase::create`], once for each cluster, name and version, and
/// returns its name. `prepare` gets the URL of the new database and fills it. Concurrent callers wait for the
/// first one.
pub async fn template(
    name: &str,
    version: u64,
    prepare: impl AsyncFnOnce(&str) -> Result<()>,
) -> Result<String> {
    let name = format!("template_{name}_{version:016x}");
    let cluster = cluster()?;
    let lock = connect(&cluster).await?;
    lock.execute("select pg_advisory_lock(hashtext($1))", &[&name]).await?;
    if lock.query_opt("select from pg_database where datname = $1", &[&name]).await?.is_some() {
        return Ok(name);
    }
    let draft = format!("{name}_draft");
    lock.batch_execute(&format!("drop database if exists {} with (force)", quoted(&draft))).await?;
    lock.batch_execute(&format!("create database {}", quoted(&draft))).await?;
    prepare(&with_database(&cluster, &draft)).await.with_context(|| format!("preparing {name}"))?;
    // PostgreSQL copies no database with connections, and a closed connection takes a moment to end.
    lock.query(END_CONNECTIONS, &[&draft]).await?;
    let rename = format!("alter database {} rename to {}", quoted(&draft), quoted(&name));
    lock.batch_execute(&rename).await.with_context(|| format!("naming {name}"))?;
    Ok(name)
}

/// Runs a statement with each of these arguments in a transaction of its own connection, which stalls before its
/// end. A third of them commit; the others roll back, or lose their connection as if the process were killed.
/// Returns the indices of those that committed.
pub async fn run_in_stalling_transactions(
    url: &str,
    statement: &str,
    arguments: &[serde_json::Value],
) -> Result<Vec<usize>> {
    let address = ConnectionString::parse(url)?;
    let mut committed = Vec::new();
    for (n, argument) in arguments.iter().enumerate() {
        let (mut client, connection) = address.config().connect(address.tls()?).await?;
        let connection = tokio::spawn(connection);
        let transaction = client.transaction().await?;
        transaction.query_one(statement, &[argument]).await?;
        sleep(Duration::from_millis(7 * (n as u64 % 4))).await;
        match n % 3 {
            0 => {
                transaction.commit().await?;
                committed.push(n);
            }
            1 => transaction.rollback().await?,
            _ => connection.abort(),
        }
    }
    Ok(committed)
}

/// Creates a database if it does not exist.
pub(crate) async fn ensure(cluster: &str, name: &str) -> Result<()> {
    let client = connect(cluster).await?;
    if client.query_opt("select from pg_database where datname = $1", &[&name]).await?.is_none() {
        client.batch_execute(&format!("create database {}", quoted(name))).await?;
    }
    Ok(())
}

/// Opens a connection without pool. It ends when the client is dropped.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    Ok(messenger_postgres::connect(url).await?)
}

/// Waits until the server of this process accepts connections.
pub(crate) async fn until_it_answers(url: &str, process: &Process) -> Result<()> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while let Err(error) = connect(url).await {
        if let Ok(status) = timeout(Duration::from_millis(20), process.ended()).await {
            bail!("{} ended ({status}) before it was ready:\n{}", process.name(), process.last_lines());
        }
        if Instant::now() > deadline {
            let (name, lines) = (process.name(), process.last_lines());
            bail!("{name} accepted no connection within a minute: {error:#}\n{lines}");
        }
    }
    Ok(())
}

fn cluster() -> Result<String> {
    setting(CLUSTER).with_context(|| format!("{CLUSTER} is not set: run `cargo xtask test`"))
}

async fn execute(url: &str, statement: &str) -> Result<()> {
    let client = connect(url).await.context("connecting to the tests' PostgreSQL")?;
    client.batch_execute(statement).await.with_context(|| statement.to_owned())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the URL of another database of the same cluster.
fn with_database(url: &str, database: &str) -> String {
    let (address, parameters) =
        url.split_once('?').map_or((url, None), |(address, parameters)| (address, Some(parameters)));
    let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
    let parameters = parameters.map(|parameters| format!("?{parameters}")).unwrap_or_default();
    format!("{server}/{database}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gets_another_database_and_keeps_its_parameters() {
        assert_eq!(with_database("postgres://u:p@127.0.0.1:1/postgres", "a"), "postgres://u:p@127.0.0.1:1/a");
        assert_eq!(with_database("postgres://h/x?sslmode=disable", "a"), "postgres://h/a?sslmode=disable");
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
