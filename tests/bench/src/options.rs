//! Command-line options.
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::Server;
use crate::stack::Stack;
use crate::system::System;

/// Measures the service beside the bare homeserver and the bare database.
#[derive(clap::Parser, Debug)]
#[command(name = "messenger-bench", version)]
#[command(
    after_help = "`cargo xtask bench` also knows fanout, resume and peers: loads on event streams (messenger-peers)"
)]
pub struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Load on each endpoint, beside the bare homeserver and bare inserts
    Http(Http),
    /// Cost of the same call with growing data
    #[command(name = "growth")]
    GrowingData(GrowingData),
    /// The copy of the event log on DynamoDB beside PostgreSQL
    Relay(RelayLoad),
    /// Time from exec to the first response, for each function
    Coldstart(Coldstart),
}

impl Command {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::GrowingData(_) => "growth",
            Self::Relay(_) => "relay",
            Self::Coldstart(_) => "coldstart",
        }
    }
}

/// Options of every command.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Common {
    /// Directory with the service's binaries [default: the directory of this program]
    #[arg(long, global = true, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Write the figures to this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Compare with the figures in this file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
}

/// A service that runs already.
#[derive(clap::Args, Clone, Debug)]
pub struct Deployment {
    /// Its address, http://host:port [default: a new one is started]
    #[arg(long)]
    url: Option<String>,
    /// Its service token
    #[arg(long, env = "MESSENGER_SERVICE_TOKEN", hide_env_values = true, requires = "url")]
    token: Option<String>,
    /// Its key for the Hub's tokens: the bench signs those of its users itself
    #[arg(long, env = "HUB_SECRET_KEY", hide_env_values = true)]
    hub_key: Option<String>,
    /// Its process, if it runs on this machine
    #[arg(long, requires = "url")]
    pid: Option<i32>,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Http {
    #[command(flatten)]
    pub(crate) deployment: Deployment,
    /// Seconds for each load in each round
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Number of rounds; each round runs all loads
    #[arg(long, default_value_t = 2)]
    pub(crate) rounds: usize,
    /// Clients at once
    #[arg(long, value_delimiter = ',', default_value = "1,16")]
    pub(crate) clients: Vec<usize>,
    /// Only loads whose name contains this; may be repeated
    #[arg(long)]
    pub(crate) only: Vec<String>,
    /// No loads whose name contains this; may be repeated
    #[arg(long)]
    pub(crate) without: Vec<String>,
    /// Leave out the homeserver and the loads that need one
    #[arg(long)]
    pub(crate) no_homeserver: bool,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct GrowingData {
    /// Stored events and notifications
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    pub(crate) events: Vec<u64>,
    /// Users of the tenant
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    pub(crate) users: Vec<u64>,
    /// Rooms of the tenant, each with a room queue
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    pub(crate) rooms: Vec<u64>,
    /// Pending notifications of other rooms
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    pub(crate) waiting: Vec<u64>,
    /// Open streams that receive nothing of the calls
    #[arg(long, value_delimiter = ',', default_value = "100,1000,5000")]
    pub(crate) connections: Vec<usize>,
    /// Seconds for each load
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RelayLoad {
    /// Stored events, a thousand of them of the reader whose events are replayed
    #[arg(long, default_value_t = 100_000)]
    pub(crate) events: i64,
    /// Number of replays and of live events
    #[arg(long, default_value_t = 200)]
    pub(crate) times: usize,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Coldstart {
    /// Number of starts of each function
    #[arg(long, default_value_t = 10)]
    pub(crate) times: usize,
}

impl Common {
    /// Returns the directory with the service's binaries.
    pub fn programs(&self) -> Result<PathBuf> {
        if let Some(programs) = &self.programs {
            return Ok(programs.clone());
        }
        let program = std::env::current_exe().context("looking for this program")?;
        Ok(program.parent().context("a program without a directory")?.to_owned())
    }
}

impl Deployment {
    pub(crate) fn is_external(&self) -> bool {
        self.url.is_some()
    }

    /// Returns the service that `--url` names, or starts a new one.
    pub async fn start(&self, common: &Common, homeserver: bool) -> Result<(System, Option<Stack>)> {
        let Some(url) = &self.url else {
            let stack = Stack::start(&common.programs()?, homeserver).await?;
            return Ok((stack.system.clone(), Some(stack)));
        };
        let system = System {
            server: Server::parse(url)?,
            service_token: self.token.clone().context("--token is needed with --url")?,
            hub_key: self.hub_key.clone().context("--hub-key is needed with --url")?,
            hs_token: None,
            pids: self.pid.into_iter().collect(),
            database_pids: Vec::new(),
        };
        Ok((system, None))
    }
}

/// Returns a duration; zero for what is none.
pub fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
