//! Durable inserts of one row each, by PostgreSQL's `pgbench`.
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use uuid::Uuid;

use crate::outcome::Outcome;
use crate::stack::{Stack, connect, data_directory};

pub(crate) const NAME: &str = "pgbench, single-row insert";
pub(crate) const INSERT: &str =
    "insert into bench_insert (title, body) values ('an alarm', repeat('x', 300))";

/// A database with the table for the inserts.
pub(crate) struct Pgbench {
    program: PathBuf,
    pub(crate) url: String,
}

impl Pgbench {
    /// Creates the table in the database of a stack.
    pub(crate) async fn new(stack: &Stack) -> Result<Self> {
        let url = stack.database_url()?;
        connect(&url).await?.batch_execute(include_str!("../sql/bench_insert.sql")).await?;
        let pid = stack.system.database_pids.first().context("PostgreSQL does not run")?;
        let program = fs::read_link(format!("/proc/{pid}/exe"))?.with_file_name("pgbench");
        ensure!(program.exists(), "{} is missing (`--without pgbench`)", program.display());
        Ok(Self { program, url })
    }

    /// Runs inserts for a while.
    pub(crate) async fn run(&self, clients: usize, time: Duration) -> Result<Outcome> {
        let directory = data_directory()?.join(Uuid::new_v4().to_string());
        fs::create_dir_all(&directory)?;
        let script = directory.join("insert.sql");
        fs::write(&script, format!("{INSERT};\n"))?;
        let seconds = time.as_secs().max(1);
        let output = Command::new(&self.program)
            .args(["--no-vacuum", "--protocol=prepared", "--log", "--file"])
            .arg(&script)
            .args(["--client", &clients.to_string(), "--jobs", &clients.min(2).to_string()])
            .args(["--time", &seconds.to_string()])
            .arg(&self.url)
            .current_dir(&directory)
            .stdout(Stdio::null())
            .output()
            .await?;
        ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let mut outcome = Outcome { seconds: seconds as f64, ..Outcome::default() };
        for entry in fs::read_dir(&directory)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("pgbench_log") {
                let log = fs::read_to_string(entry.path())?;
                latencies(&log).for_each(|latency| outcome.latencies.record(latency));
            }
        }
        fs::remove_dir_all(directory)?;
        Ok(outcome)
    }
}

/// Returns the latencies in a log of pgbench: the third number of each line, in microseconds.
fn latencies(log: &str) -> impl Iterator<Item = Duration> {
    log.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok()).map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latencies_in_a_log_of_pgbench_are_microseconds() {
        let log = "0 1 541 0 1732342965 123456\n1 1 1200 0 1732342965 123999\n";
        let expected = [Duration::from_micros(541), Duration::from_micros(1200)];
        assert_eq!(latencies(log).collect::<Vec<_>>(), expected);
    }
}
