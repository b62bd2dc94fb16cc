//! The database without us: durable inserts of one row each, by `pgbench` where it is there.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use crate::http::Connection;
use crate::latency::Shared;
use crate::load::{Load, Outcome, Turn};
use crate::stack::Database;

/// What the load is called, or what its name ends with.
pub(crate) const NAME: &str = "single-row insert";
pub(crate) const BY_PGBENCH: &str = "pgbench, single-row insert";
const TABLE: &str = "create table if not exists bench_insert (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    title text not null,
    body text not null)";
const INSERT: &str = "insert into bench_insert (title, body) values ('an alarm', repeat('x', 300))";

/// Single-row inserts into a database.
pub(crate) struct Inserts {
    url: String,
    /// `None`: it is not among the server's programs.
    pgbench: Option<PathBuf>,
    directory: PathBuf,
}

/// A connection to a database.
pub(crate) async fn connect(url: &str) -> Result<Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    tokio::spawn(connection);
    Ok(client)
}

impl Inserts {
    pub(crate) async fn into(database: &Database, directory: &Path) -> Result<Self> {
        connect(database.url()).await?.batch_execute(TABLE).await?;
        let server = database.pid().and_then(|pid| fs::read_link(format!("/proc/{pid}/exe")).ok());
        let pgbench =
            server.and_then(|server| Some(server.parent()?.join("pgbench"))).filter(|path| path.exists());
        Ok(Self { url: database.url().to_owned(), pgbench, directory: directory.to_owned() })
    }

    /// Who inserts.
    pub(crate) fn name(&self) -> &'static str {
        if self.pgbench.is_some() { BY_PGBENCH } else { NAME }
    }

    pub(crate) async fn run(&self, clients: usize, time: Duration) -> Result<Outcome> {
        match &self.pgbench {
            Some(pgbench) => self.pgbench(pgbench, clients, time).await,
            None => self.ourselves(clients, time).await,
        }
    }

    async fn pgbench(&self, pgbench: &Path, clients: usize, time: Duration) -> Result<Outcome> {
        let place = self.directory.join(Uuid::new_v4().to_string());
        fs::create_dir_all(&place)?;
        let script = place.join("insert.sql");
        fs::write(&script, format!("{INSERT};\n"))?;
        let seconds = time.as_secs().max(1);
        let run = Command::new(pgbench)
            .args(["--no-vacuum", "--protocol=prepared", "--log", "--file"])
            .arg(&script)
            .args(["--client", &clients.to_string(), "--jobs", &clients.min(2).to_string()])
            .args(["--time", &seconds.to_string()])
            .arg(&self.url)
            .current_dir(&place)
            .stdout(Stdio::null())
            .output()
            .await?;
        ensure!(run.status.success(), "pgbench: {}", String::from_utf8_lossy(&run.stderr));
        let mut outcome = Outcome { seconds: seconds as f64, ..Outcome::default() };
        for entry in fs::read_dir(&place)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("pgbench_log") {
                let log = fs::read_to_string(entry.path())?;
                latencies(&log).for_each(|latency| outcome.latencies.record(latency));
            }
        }
        fs::remove_dir_all(place)?;
        Ok(outcome)
    }

    /// Inserts before each call of a load, and measures both together: who stores before they tell cannot be quicker.
    pub(crate) async fn before(
        &self,
        load: &Load,
        clients: usize,
        time: Duration,
        next: &Arc<AtomicU64>,
    ) -> Result<Outcome> {
        let (begin, shared) = (Instant::now(), Arc::new(Shared::default()));
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let (client, shared, next) = (connect(&self.url).await?, Arc::clone(&shared), Arc::clone(next));
            let load = load.clone();
            tasks.spawn(async move {
                let insert = client.prepare(INSERT).await?;
                let mut connection = Connection::open(&load.server).await?;
                while begin.elapsed() < time {
                    let turn = Turn { number: next.fetch_add(1, Relaxed), client: number };
                    let (request, call) = ((load.requests)(turn), Instant::now());
                    client.execute(&insert, &[]).await?;
                    let answer = connection.call(&request).await?;
                    ensure!(answer.status == load.status, "a call was answered {}", answer.text());
                    shared.shard(number).record(call.elapsed());
                }
                anyhow::Ok(())
            });
        }
        ended(tasks, begin, &shared).await
    }

    async fn ourselves(&self, clients: usize, time: Duration) -> Result<Outcome> {
        let (begin, shared) = (Instant::now(), Arc::new(Shared::default()));
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let (client, shared) = (connect(&self.url).await?, Arc::clone(&shared));
            tasks.spawn(async move {
                let insert = client.prepare(INSERT).await?;
                while begin.elapsed() < time {
                    let call = Instant::now();
                    client.execute(&insert, &[]).await?;
                    shared.shard(number).record(call.elapsed());
                }
                anyhow::Ok(())
            });
        }
        ended(tasks, begin, &shared).await
    }
}

/// What all clients measured together, once they have ended.
async fn ended(mut tasks: JoinSet<Result<()>>, begin: Instant, shared: &Shared) -> Result<Outcome> {
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let seconds = begin.elapsed().as_secs_f64();
    Ok(Outcome { latencies: shared.total(), seconds, ..Outcome::default() })
}

/// Those in a log of pgbench: the third number of each line, in microseconds.
fn latencies(log: &str) -> impl Iterator<Item = Duration> {
    log.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok()).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_of_pgbench_is_read() {
        let log = "0 1 541 0 1732342965 123456\n1 1 1200 0 1732342965 123999\n";
        let expected = [Duration::from_micros(541), Duration::from_micros(1200)];
        assert_eq!(latencies(log).collect::<Vec<_>>(), expected);
    }
}
