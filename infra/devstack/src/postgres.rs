//! PostgreSQL on loopback, from the system or from `PyPI`.
mod cluster;
mod programs;
mod server_processes;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::certificates::{self, Certificates};
use crate::database;
use crate::environment::setting;
use crate::home::Home;
use crate::owner;
use crate::process::{Launch, Output, Process, Signal, Sink, traced};
use crate::service::on_free_port;

use cluster::Cluster;

/// The environment variable with which clusters for tests accept connections with TLS only, if it is `on`.
pub const TLS: &str = "MESSENGER_TEST_TLS";

/// The superuser of each cluster.
pub const USER: &str = "messenger";

/// The options of a PostgreSQL.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory for the installation from `PyPI`.
    pub home: Home,
    /// `true` to use the server from `PyPI` even if the system has one.
    pub packaged: bool,
    /// The directory of data, password and log, which is created if it is missing. `None` for a temporary
    /// one, which is removed with the [`Postgres`].
    pub directory: Option<PathBuf>,
    /// The port; 0 for a free one.
    pub port: u16,
    /// `true` if a commit waits for the disk. Tests do not need that.
    pub durable: bool,
    /// The most connections at a time.
    pub max_connections: u16,
    /// The names in the server's certificate, as [`Certificates::ensure`] takes them. With them, the server
    /// accepts connections with TLS only; `None` for a server without TLS.
    pub certificate: Option<String>,
}

impl Options {
    /// Returns the options of a cluster for tests: in a temporary directory, without waiting for the disk. It
    /// has TLS if [`TLS`] is set.
    pub fn temporary() -> Self {
        Self {
            home: Home::default(),
            packaged: false,
            directory: None,
            port: 0,
            durable: false,
            max_connections: 200,
            certificate: setting(TLS).filter(|value| value == "on").map(|_| certificates::LOCAL.to_owned()),
        }
    }

    /// Returns the options of a durable cluster in `directory`.
    pub fn durable(directory: impl Into<PathBuf>) -> Self {
        Self { directory: Some(directory.into()), durable: true, ..Self::temporary() }
    }

    /// Returns these options with TLS, and a certificate for this machine.
    #[must_use]
    pub fn with_tls(self) -> Self {
        Self { certificate: Some(certificates::LOCAL.to_owned()), ..self }
    }
}

/// A running PostgreSQL. Dropping it kills the server; a directory that is not temporary stays.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    cluster: Cluster,
    launch: Launch,
    port: u16,
    _temporary: Option<TempDir>,
}

impl Postgres {
    /// Installs the server if it is missing, creates the cluster if there is none, starts the server, and
    /// waits until it answers.
    pub async fn start(options: Options) -> Result<Self> {
        Self::start_with(options, &traced()).await
    }

    /// Starts as [`start`](Self::start) does, and reports to `progress`.
    pub async fn start_with(options: Options, progress: &Sink) -> Result<Self> {
        let temporary = options.directory.is_none().then(temporary).transpose()?;
        let wanted = options.directory.as_deref().or(temporary.as_ref().map(TempDir::path));
        let directory = owner::accessible_directory(wanted.context("no directory")?, progress)?;
        let cluster = Cluster::ensure(&options, directory, progress).await?;
        let (process, launch, port) = on_free_port(options.port, async |port| {
            let launch = cluster.server(&options, port);
            let process = run(&cluster, &launch, port).await?;
            Ok((process, launch, port))
        })
        .await?;
        Ok(Self { process: Some(process), cluster, launch, port, _temporary: temporary })
    }

    /// Returns the superuser's URL of a database. With TLS it demands `verify-full`.
    pub fn url(&self, database: &str) -> String {
        self.cluster.url(self.port, database, "verify-full")
    }

    /// Returns the superuser's password.
    pub fn password(&self) -> &str {
        &self.cluster.password
    }

    /// Returns the certificates of the server; `None` if it has no TLS.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.cluster.certificates.as_ref()
    }

    /// Returns the port on which the server listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the version of the server, for example `15.18`.
    pub fn version(&self) -> &str {
        &self.cluster.programs.version
    }

    /// Returns the directory of the data. It differs from [`Options::directory`] if the server's user may not
    /// enter that one.
    pub fn directory(&self) -> &Path {
        &self.cluster.directory
    }

    /// Returns the process; `None` after it was stopped or killed.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// Creates the database if it does not exist.
    pub async fn ensure_database(&self, name: &str) -> Result<()> {
        database::ensure(&self.url("postgres"), name).await
    }

    /// Stops the server without waiting for clients (a "fast shutdown").
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop_with(Signal::INT, Duration::from_secs(20)).await;
        }
    }

    /// Kills the server and its connections with `SIGKILL`, as a crash would.
    pub fn kill(&mut self) {
        self.process = None;
        server_processes::kill(&self.cluster.data());
    }

    /// Freezes the server and its connections: connections stay open and get no answer.
    pub fn pause(&self) {
        server_processes::freeze(&self.cluster.data());
    }

    /// Resumes a frozen server.
    pub fn resume(&self) {
        server_processes::signal(&self.cluster.data(), Signal::CONT);
    }

    /// Starts the server with the same data on the same port, and waits until it answers.
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
            server_processes::kill(&self.cluster.data());
        }
    }
}

/// Removes the cluster of this [`Options::directory`] with all its data.
pub fn erase(directory: &Path) -> Result<()> {
    let directory = owner::accessible_directory(directory, &traced())?;
    server_processes::kill(&directory.join("data"));
    match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", directory.display()))
        }
        _ => Ok(()),
    }
}

/// Starts the server and waits until it accepts connections.
async fn run(cluster: &Cluster, launch: &Launch, port: u16) -> Result<Process> {
    server_processes::remove(&cluster.data())?;
    let process = Process::spawn(launch.clone())?;
    // The certificate may be for another name.
    database::until_it_answers(&cluster.url(port, "postgres", "verify-ca"), &process).await?;
    Ok(process)
}

fn temporary() -> Result<TempDir> {
    tempfile::Builder::new().prefix("messenger-postgres-").tempdir().context("a temporary directory")
}

/// Returns the log of the server.
fn log(directory: &Path) -> Output {
    Output::File(directory.join("postgres.log"))
}
