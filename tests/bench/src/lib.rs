//! Measures the service against the physical limit and against its peers: `docs/performance.md`.
#![expect(
    clippy::cast_precision_loss,
    reason = "figures are shown with three digits; those of an f64 are enough for what is counted here"
)]

mod apt;
mod coldstart;
mod fanout;
mod floor;
mod growth;
mod homeserver;
mod http;
mod http_load;
mod inserts;
mod latency;
mod ledger;
mod load;
mod machine;
mod naive;
mod nchan;
mod options;
mod peers;
mod report;
mod resume;
mod service;
mod sse;
mod stack;
mod streams;
mod target;
mod token;
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub use options::Options;

use options::Command;
use report::Report;
use service::Users;

/// Open files that a measurement with 10 000 streams needs, with room to spare.
const FILES: u64 = 100_000;

/// Does what the command line says. Fails when a run is no good: something was lost.
pub async fn run(options: Options) -> Result<ExitCode> {
    allow_many_files();
    let name = match &options.command {
        Command::Naive(port) => return naive::run(port.port).await.map(|()| ExitCode::SUCCESS),
        Command::Floor(port) => return floor::run(port.port).await.map(|()| ExitCode::SUCCESS),
        Command::Http(_) => "http",
        Command::Fanout(_) => "fanout",
        Command::Resume(_) => "resume",
        Command::Growth(_) => "growth",
        Command::Coldstart(_) => "coldstart",
        Command::Peers(_) => "peers",
    };
    let mut report = Report::new(name);
    match &options.command {
        Command::Http(http) => http_load::run(http, &mut report).await?,
        Command::Fanout(fanout) => fan_out(fanout, &mut report).await?,
        Command::Resume(resume) => resume::run(resume, &mut report).await?,
        Command::Growth(growth) => growth::run(growth, &mut report).await?,
        Command::Coldstart(coldstart) => coldstart::run(coldstart, &mut report).await?,
        Command::Peers(peers) => peers::run(peers, &mut report).await?,
        Command::Naive(_) | Command::Floor(_) => {}
    }
    println!("{}", report.text());
    let common = options.command.common().context("a measurement")?;
    if let Some(file) = &common.compare {
        println!("{}", report.compared(&Report::read(file)?));
    }
    if let Some(file) = &common.json {
        report.write(file)?;
    }
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn fan_out(options: &options::Fanout, report: &mut Report) -> Result<()> {
    let (door, stack) = options.deployment.door(&options.common, false).await?;
    let users = Users { per_tenant: options.users, tenants: usize::from(options.tenants) };
    let target = users.target(&door).await?;
    let load = fanout::Load {
        connections: options.connections,
        rate: options.rate,
        publishers: options.publishers,
        window: options.window,
        warm_up: Duration::from_secs(1),
        duration: options::seconds(options.seconds),
        idle: options::seconds(options.idle_seconds),
    };
    let outcome = fanout::run(&target, &load).await?;
    let pace = options.rate.map_or("as fast as possible".to_owned(), |rate| format!("{rate} msg/s"));
    let name = format!("{} streams, {pace}", options.connections);
    outcome.report(&name, report);
    drop(stack);
    Ok(())
}

/// Asks for as many open files as we may have.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted =
        Rlimit { current: Some(FILES), maximum: Some(limit.maximum.map_or(FILES, |most| most.max(FILES))) };
    if setrlimit(Resource::Nofile, wanted).is_err() {
        // Who is not root gets what root allowed.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}
