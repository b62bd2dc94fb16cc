//! A real Synapse on `SQLite`, from `PyPI`, in its own virtual environment.
mod accounts;
mod configuration;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::home::Home;
use crate::homeserver::Homeserver;
use crate::process::{Launch, Output, Sink, traced};
use crate::python::{Environment, Wanted};
use crate::service::on_free_port;

/// The version that is installed.
pub const VERSION: &str = "1.163.2";
/// Every package that belongs to it, with its version: the output of `pip freeze`.
const CONSTRAINTS: &str = include_str!("../synapse-constraints.txt");
/// A start takes 1.3 s, and many times that on a machine whose cores are all busy with tests.
const PATIENCE: Duration = Duration::from_mins(2);

/// How a Synapse is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is installed.
    pub home: Home,
    /// Its data: database, keys, media, log. Made when missing, kept when there.
    pub directory: PathBuf,
    /// The part of Matrix ids after the colon. It cannot change once there is data.
    pub server_name: String,
    /// 0: a free one.
    pub port: u16,
    /// Application services, each as the YAML text of a registration file.
    pub registrations: Vec<String>,
    /// What it writes into its log: `ERROR`, `WARNING`, `INFO` or `DEBUG`.
    pub log_level: String,
}

impl Options {
    /// A Synapse for `hub.local` with its data in `directory`.
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

/// A running Synapse, which is a [`Homeserver`]; dropping it kills it. Its data stay where they are.
#[derive(Debug)]
pub struct Synapse {
    homeserver: Homeserver,
    registration_secret: String,
}

/// Installs it, if that was not done before. `progress` is told what happens.
pub async fn install(home: &Home, progress: &Sink) -> Result<Environment> {
    let wanted = Wanted {
        title: format!("Synapse {VERSION}"),
        arguments: vec![format!("matrix-synapse=={VERSION}")],
        constraints: CONSTRAINTS.to_owned(),
        packages: CONSTRAINTS.lines().count(),
        stamp: CONSTRAINTS.to_owned(),
    };
    Environment::ensure(home, "synapse-venv", &wanted, progress).await
}

impl Synapse {
    /// Installs it if needed, starts it, and waits until it answers.
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
        let homeserver = Homeserver::start(launch, port, &options.server_name, PATIENCE).await?;
        Ok(Self { homeserver, registration_secret })
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
