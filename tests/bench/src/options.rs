//! What the command line can say.
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::Server;
use crate::service::Door;
use crate::stack::Stack;

/// Measures the service against the physical limit and against its peers.
#[derive(clap::Parser, Debug)]
#[command(name = "messenger-bench", version)]
pub struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Load on each endpoint, beside the bare homeserver and bare inserts
    Http(Http),
    /// Events to many streams: latency, cost, and whether anything was lost
    Fanout(Fanout),
    /// Many clients return at once, far behind
    Resume(Resume),
    /// What the same call costs when there is more of everything
    Growth(Growth),
    /// From exec to the first answer, for each function
    Coldstart(Coldstart),
    /// nchan, a naive server, the floor and ours at the same load
    Peers(Peers),
    /// (a peer) A broadcast server as one writes it in an afternoon
    Naive(Port),
    /// (a peer) Writes prepared bytes to all sockets
    Floor(Port),
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Port {
    #[arg(long)]
    pub(crate) port: u16,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Common {
    /// Where the built programs of the service are [default: beside this one]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Write the figures to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Compare with the figures in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
}

/// A service that runs already.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Deployment {
    /// Its address, http://host:port [default: one of our own is started]
    #[arg(long)]
    url: Option<String>,
    /// Its service token
    #[arg(long, env = "MESSENGER_SERVICE_TOKEN", hide_env_values = true, requires = "url")]
    token: Option<String>,
    /// The key by which it knows the Hub's tokens: the bench signs those of its users itself
    #[arg(long, env = "HUB_SECRET_KEY", hide_env_values = true)]
    hub_key: Option<String>,
    /// Its process, if it runs on this machine
    #[arg(long, requires = "url")]
    pid: Option<i32>,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Http {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) deployment: Deployment,
    /// Seconds for each load in each round
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// How often all loads are gone through
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
    /// Do without a homeserver, and what needs one
    #[arg(long)]
    pub(crate) no_homeserver: bool,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Fanout {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) deployment: Deployment,
    #[arg(long, default_value_t = 1000)]
    pub(crate) connections: usize,
    /// Users of each tenant
    #[arg(long, default_value_t = 100)]
    pub(crate) users: usize,
    /// Tenants: the streams of all but the first must hear nothing
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) tenants: u16,
    /// Events a second [default: as fast as possible]
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    #[arg(long, default_value_t = 64)]
    pub(crate) publishers: usize,
    /// As fast as possible: most events that have not arrived everywhere
    #[arg(long, default_value_t = 64)]
    pub(crate) window: usize,
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Seconds for which the open streams are watched first
    #[arg(long, default_value_t = 2.0)]
    pub(crate) idle_seconds: f64,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) deployment: Deployment,
    /// Clients that return
    #[arg(long, default_value_t = 1000)]
    pub(crate) connections: usize,
    /// Events that each is behind
    #[arg(long, default_value_t = 500)]
    pub(crate) behind: u32,
    /// Streams that stay, and whose latency is watched
    #[arg(long, default_value_t = 100)]
    pub(crate) live: usize,
    #[arg(long, default_value_t = 100)]
    pub(crate) users: usize,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Growth {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Stored events and notifications
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    pub(crate) events: Vec<u64>,
    /// Users of the tenant
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    pub(crate) users: Vec<u64>,
    /// Rooms of the tenant, each with a room queue
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    pub(crate) rooms: Vec<u64>,
    /// Notifications of other rooms that wait for the homeserver
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    pub(crate) waiting: Vec<u64>,
    /// Open streams that hear nothing of the calls
    #[arg(long, value_delimiter = ',', default_value = "100,1000,5000")]
    pub(crate) connections: Vec<usize>,
    /// Seconds for each load
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Coldstart {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How often each is started
    #[arg(long, default_value_t = 10)]
    pub(crate) times: usize,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Peers {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Who is measured
    #[arg(long, value_delimiter = ',', default_value = "nchan,naive,floor,ours")]
    pub(crate) who: Vec<String>,
    /// Only scenarios whose name holds this
    #[arg(long)]
    pub(crate) only: Option<String>,
    #[arg(long, default_value_t = 2)]
    pub(crate) rounds: usize,
    /// Seconds for each scenario in each round
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Seconds for which the idle streams are watched: keepalives come every 15 s or so
    #[arg(long, default_value_t = 20.0)]
    pub(crate) idle_seconds: f64,
    #[arg(long, default_value_t = 500)]
    pub(crate) users: usize,
    #[arg(long, default_value_t = 64)]
    pub(crate) publishers: usize,
    /// As fast as possible: most events that have not arrived everywhere, the same for all
    #[arg(long, default_value_t = 64)]
    pub(crate) window: usize,
    #[arg(long, default_value_t = 2)]
    pub(crate) nchan_workers: usize,
}

impl Command {
    pub(crate) fn common(&self) -> Option<&Common> {
        match self {
            Self::Http(http) => Some(&http.common),
            Self::Fanout(fanout) => Some(&fanout.common),
            Self::Resume(resume) => Some(&resume.common),
            Self::Growth(growth) => Some(&growth.common),
            Self::Coldstart(coldstart) => Some(&coldstart.common),
            Self::Peers(peers) => Some(&peers.common),
            Self::Naive(_) | Self::Floor(_) => None,
        }
    }
}

impl Common {
    pub(crate) fn programs(&self) -> Result<PathBuf> {
        if let Some(programs) = &self.programs {
            return Ok(programs.clone());
        }
        let ours = std::env::current_exe().context("looking for this program")?;
        Ok(ours.parent().context("a program without a directory")?.to_owned())
    }
}

impl Deployment {
    /// Whether a service is named.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.url.is_some()
    }

    /// The service that is named, or one of our own.
    pub(crate) async fn door(&self, common: &Common, homeserver: bool) -> Result<(Door, Option<Stack>)> {
        let Some(url) = &self.url else {
            let stack = Stack::start(&common.programs()?, homeserver).await?;
            return Ok((Door::of(&stack), Some(stack)));
        };
        let door = Door {
            server: Server::of(url)?,
            service_token: self.token.clone().context("--token is needed with --url")?,
            hub_key: self.hub_key.clone().context("--hub-key is needed with --url")?,
            hs_token: None,
            pids: self.pid.into_iter().collect(),
            database: Vec::new(),
        };
        Ok((door, None))
    }
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
