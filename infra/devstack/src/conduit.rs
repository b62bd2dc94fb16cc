//! Conduit, the homeserver of production. It is not downloaded: `CONDUIT_BIN` names the program.
use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::environment::setting;
use crate::home::workspace;
use crate::homeserver::Homeserver;
use crate::process::{Launch, Output};
use crate::service::on_free_port;

/// The configuration of production. Variables win over it.
const CONFIGURATION: &str = "infra/images/conduit.toml";
/// A start takes 0.1 s, or 5 s with a backlog of pushes, and more when all cores are busy.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The options of a Conduit.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of database and log. It is created if it is missing.
    pub directory: PathBuf,
    /// The part of Matrix ids after the colon.
    pub server_name: String,
    /// The port; 0 for a free one.
    pub port: u16,
    /// `true` if rooms can be encrypted; in production they cannot.
    pub allow_encryption: bool,
}

impl Options {
    /// Returns the options of a Conduit for `hub.local` with its data in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            server_name: "hub.local".to_owned(),
            port: 0,
            allow_encryption: false,
        }
    }
}

/// A running Conduit. Dropping it kills the process; the data stay.
#[derive(Debug)]
pub struct Conduit(Homeserver);

/// The environment variable with the path of a conduit program.
pub const BINARY: &str = "CONDUIT_BIN";

/// Returns the program that `CONDUIT_BIN` names; `None` if the variable is not set.
pub fn binary() -> Option<PathBuf> {
    setting(BINARY).map(PathBuf::from)
}

impl Conduit {
    /// Starts the homeserver and waits until it answers.
    pub async fn start(options: Options) -> Result<Self> {
        let binary = binary().context("set CONDUIT_BIN to a conduit program")?;
        on_free_port(options.port, async |port| Self::start_on(port, &binary, &options).await).await
    }

    async fn start_on(port: u16, binary: &PathBuf, options: &Options) -> Result<Self> {
        let directory = &options.directory;
        fs::create_dir_all(directory.join("database"))
            .with_context(|| format!("creating {}", directory.display()))?;
        let launch = Launch::new("Conduit", binary)
            .env("CONDUIT_CONFIG", workspace().join(CONFIGURATION))
            .env("CONDUIT_SERVER_NAME", &options.server_name)
            .env("CONDUIT_DATABASE_PATH", directory.join("database"))
            .env("CONDUIT_ADDRESS", "127.0.0.1")
            .env("CONDUIT_PORT", port.to_string())
            // The worker's first start registers the administrator.
            .env("CONDUIT_ALLOW_REGISTRATION", "true")
            .env("CONDUIT_ALLOW_ENCRYPTION", options.allow_encryption.to_string())
            .directory(directory)
            .output(Output::File(directory.join("conduit.log")));
        Homeserver::start(launch, port, &options.server_name, START_TIMEOUT).await.map(Self)
    }
}

impl Deref for Conduit {
    type Target = Homeserver;

    fn deref(&self) -> &Homeserver {
        &self.0
    }
}

impl DerefMut for Conduit {
    fn deref_mut(&mut self) -> &mut Homeserver {
        &mut self.0
    }
}
