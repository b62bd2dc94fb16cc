//! Synapse on `SQLite`, from `PyPI`, in its own virtual environment.
mod accounts;
mod configuration;

pub use accounts::Accounts;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::home::Home;
use crate::homeserver::Homeserver;
use crate::process::{Launch, Output, Sink, traced};
use crate::python::{Environment, Requirements};
use crate::service::on_free_port;

/// The version that is installed.
pub const VERSION: &str = "1.163.2";
/// Each package of Synapse with its version: the output of `pip freeze`.
const CONSTRAINTS: &str = include_str!("../synapse-constraints.txt");
/// A start takes 1.3 s, and many times that when all cores are busy with tests.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// The options of a Synapse.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of the installation.
    pub home: Home,
    /// The directory of database, keys, media and log. It is created if it is missing.
    pub directory: PathBuf,
    /// The part of Matrix ids after the colon. It cannot change after the first start.
    pub server_name: String,
    /// The port; 0 for a free one.
    pub port: u16,
    /// The registration files of application services, as YAML.
    pub registrations: Vec<String>,
    /// The log level: `ERROR`, `WARNING`, `INFO` or `DEBUG`.
    pub log_level: String,
}

impl Options {
    /// Returns the options of a Synapse for `hub.local` with its data in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            home: Home::default(),
            directory: directory.into(),
            server_name: "hub.local".to_owned(),
            port: 0,
            registrations: Vec::new(),
            log_level: "WARNING".to_owned(),
        }
    }
}

/// A running Synapse. Dropping it kills the process; the data stay.
#[derive(Debug)]
pub struct Synapse {
    homeserver: Homeserver,
    accounts: Accounts,
}

/// Installs Synapse if it is not installed, and reports to `progress`.
pub async fn install(home: &Home, progress: &Sink) -> Result<Environment> {
    let requirements = Requirements {
        title: format!("Synapse {VERSION}"),
        arguments: vec![format!("matrix-synapse=={VERSION}")],
        constraints: CONSTRAINTS.to_owned(),
        package_count: CONSTRAINTS.lines().count(),
        stamp: CONSTRAINTS.to_owned(),
    };
    Environment::ensure(home, "synapse-venv", &requirements, progress).await
}

impl Synapse {
    /// Installs Synapse if it is not installed, starts it, and waits until it answers.
    pub async fn start(options: Options) -> Result<Self> {
        let python = install(&options.home, &traced()).await?.python();
        on_free_port(options.port, async |port| Self::start_on(port, &python, &options).await).await
    }

    async fn start_on(port: u16, python: &Path, options: &Options) -> Result<Self> {
        let registration_secret = configuration::write(options, port)?;
        let launch = Launch::new("Synapse", python)
            .args(["-m", "synapse.app.homeserver", "--config-path"])
            .arg(options.directory.join(configuration::FILE))
            .directory(&options.directory)
            .output(Output::File(options.directory.join(configuration::LOG)));
        let homeserver = Homeserver::start(launch, port, &options.server_name, START_TIMEOUT).await?;
        let accounts = Accounts::new(homeserver.url(), &options.server_name, registration_secret);
        Ok(Self { homeserver, accounts })
    }

    /// Returns the accounts, which administrators create and change.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }
}

impl Deref for Synapse {
    type Target = Homeserver;

    fn deref(&self) -> &Homeserver {
        &self.homeserver
    }
}

impl DerefMut for Synapse {
    fn deref_mut(&mut self) -> &mut Homeserver {
        &mut self.homeserver
    }
}
