//! A Conduit, the homeserver of production, where somebody has built one: it is not downloaded.
use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::environment::setting;
use crate::homeserver::Homeserver;
use crate::process::{Launch, Output};
use crate::service::on_free_port;

/// A start takes 0.1 s, with a backlog of pushes 5 s, and more when all cores are busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a Conduit is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its data: database and log. Made when missing, kept when there.
    pub directory: PathBuf,
    /// The part of Matrix ids after the colon.
    pub server_name: String,
    /// 0: a free one.
    pub port: u16,
    /// Whether rooms can be encrypted; in production they cannot.
    pub allow_encryption: bool,
}

impl Options {
    /// A Conduit for `hub.local` with its data in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            server_name: "hub.local".to_owned(),
            port: 0,
            allow_encryption: false,
        }
    }
}

/// A running Conduit, which is a [`Homeserver`]; dropping it kills it. Its data stay where they are.
#[derive(Debug)]
pub struct Conduit(Homeserver);

/// The variable that names a conduit program.
pub const BINARY: &str = "CONDUIT_BIN";

/// The program that `CONDUIT_BIN` names; `None`: there is none on this machine.
pub fn binary() -> Option<PathBuf> {
    setting(BINARY).map(PathBuf::from)
}

impl Conduit {
    /// Starts it and waits until it answers.
    pub async fn start(options: Options) -> Result<Self> {
        let binary = binary().context("set CONDUIT_BIN to a conduit program")?;
        on_free_port(options.port, async |port| Self::start_on(port, &binary, &options).await).await
    }

    async fn start_on(port: u16, binary: &PathBuf, options: &Options) -> Result<Self> {
        let directory = &options.directory;
        fs::create_dir_all(directory.join("database"))
            .with_context(|| format!("creating {}", directory.display()))?;
        let file = directory.join("conduit.toml");
        fs::write(&file, configuration(options, port))
            .with_context(|| format!("writing {}", file.display()))?;
        let launch = Launch::new("Conduit", binary)
            .env("CONDUIT_CONFIG", &file)
            .directory(directory)
            .output(Output::File(directory.join("conduit.log")));
        Homeserver::start(launch, port, &options.server_name, PATIENCE).await.map(Self)
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

/// JSON strings, numbers and arrays are TOML too.
fn configuration(options: &Options, port: u16) -> String {
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let database = options.directory.join("database");
    format!(
        "# Generated. The comments say why the service needs a setting.
[global]
server_name = {server_name}
database_path = {database}
database_backend = \"sqlite\"
address = \"127.0.0.1\"
port = {port}
# At least MAX_UPLOAD_BYTES of the service.
max_request_size = 20000000
# The worker's first start registers the administrator, who must be the first user. `false` is possible afterwards.
allow_registration = true
# Element encrypts new private chats by default, and the service can read nothing there. With `false` these chats are plain.
allow_encryption = {allow_encryption}
allow_federation = false
# Otherwise Conduit asks a server on the internet.
allow_check_for_updates = false
# Otherwise every display name gets a suffix.
enable_lightning_bolt = false
trusted_servers = []
",
        allow_encryption = options.allow_encryption,
        server_name = text(&options.server_name),
        database = text(&database.to_string_lossy()),
    )
}
