//! Databases for tests, in the cluster that `cargo xtask test` started.
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::environment::setting;

/// The variable with the superuser URL of the cluster that tests use.
pub const CLUSTER: &str = "MESSENGER_TEST_POSTGRES";

const END_CONNECTIONS: &str =
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1";

/// A database of one test; dropped with this value, whoever is still connected.
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

    /// The superuser's URL of this database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name.
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
        std::thread::spawn(work).join().map_err(|_| anyhow!("the thread that drops it panicked"))?
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(database = self.name, "not dropped: {error:#}");
        }
    }
}

/// Makes a database once per cluster, with what `prepare` (given its URL) puts into it, for [`TestDatabase::create`] to
/// copy; another `version` is another one. Returns its name. Any number of tests and processes may ask at once.
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
    // Nobody can copy a database that somebody is connected to; a closed connection takes a moment to end.
    lock.query(END_CONNECTIONS, &[&draft]).await?;
    let rename = format!("alter database {} rename to {}", quoted(&draft), quoted(&name));
    lock.batch_execute(&rename).await.with_context(|| format!("naming {name}"))?;
    Ok(name)
}

/// Creates a database, unless it is there.
pub(crate) async fn ensure(cluster: &str, name: &str) -> Result<()> {
    let client = connect(cluster).await?;
    if client.query_opt("select from pg_database where datname = $1", &[&name]).await?.is_none() {
        client.batch_execute(&format!("create database {}", quoted(name))).await?;
    }
    Ok(())
}

/// A connection without pool or TLS. It ends when the client is dropped.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!("a connection ended: {error}");
        }
    });
    Ok(client)
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

/// The same URL with another database.
fn with_database(url: &str, database: &str) -> String {
    let (address, parameters) =
        url.split_once('?').map_or((url, None), |(address, rest)| (address, Some(rest)));
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
