//! Command-line options.
use messenger_bench::options::{Common, Deployment};

/// Measures the fan-out of events: the service alone, and beside other servers.
#[derive(clap::Parser, Debug)]
#[command(name = "messenger-peers", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Events to many streams: latency, cost, and a check that nothing was lost
    Fanout(Fanout),
    /// Many clients reconnect at once, far behind
    Resume(Resume),
    /// nchan, a naive server, the floor and the service at the same load
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
pub(crate) struct Fanout {
    #[command(flatten)]
    pub(crate) deployment: Deployment,
    /// Users of each tenant
    #[arg(long, default_value_t = 100)]
    pub(crate) users: usize,
    /// Tenants: the streams of all but the first must receive nothing
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) tenants: u16,
    #[command(flatten)]
    pub(crate) load: StreamLoad,
}

/// The load of one fan-out.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct StreamLoad {
    /// Streams
    #[arg(long, default_value_t = 1000)]
    pub(crate) connections: usize,
    /// Events a second [default: as fast as possible]
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// Publishers, each with one call after the other
    #[arg(long, default_value_t = 64)]
    pub(crate) publishers: usize,
    /// As fast as possible: most events that have not arrived everywhere
    #[arg(long, default_value_t = 64)]
    pub(crate) window: usize,
    /// Seconds of the measurement
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Seconds for which the open streams are idle first
    #[arg(long, default_value_t = 2.0)]
    pub(crate) idle_seconds: f64,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) deployment: Deployment,
    /// Clients that reconnect
    #[arg(long, default_value_t = 1000)]
    pub(crate) connections: usize,
    /// Events that each client has missed
    #[arg(long, default_value_t = 500)]
    pub(crate) behind: u32,
    /// Streams that stay connected and whose latency is measured
    #[arg(long, default_value_t = 100)]
    pub(crate) live: usize,
    #[arg(long, default_value_t = 100)]
    pub(crate) users: usize,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Peers {
    /// The servers
    #[arg(long, value_delimiter = ',', default_value = "nchan,naive,floor,ours")]
    pub(crate) who: Vec<String>,
    /// Only scenarios whose name contains this
    #[arg(long)]
    pub(crate) only: Option<String>,
    #[arg(long, default_value_t = 2)]
    pub(crate) rounds: usize,
    /// Seconds for each scenario in each round
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Seconds for which the idle streams are measured: keepalives come every 15 s or so
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
