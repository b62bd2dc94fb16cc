//! `messenger-peers`: loads on event streams of the service and of other servers; see `docs/performance.md`.
#![expect(
    clippy::cast_precision_loss,
    reason = "reports show three digits; an f64 is exact enough for everything that is counted here"
)]

mod compare;
mod fanout;
mod floor;
mod ledger;
mod naive;
mod nchan;
mod options;
mod resume;
mod sse;
mod streams;
mod target;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use messenger_bench::raise_open_files_limit;

use options::{Command, Options};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    raise_open_files_limit();
    let Options { command, common } = Options::parse();
    let report = match command {
        Command::Fanout(options) => fanout::run(&options, &common).await?,
        Command::Resume(options) => resume::run(&options, &common).await?,
        Command::Peers(options) => compare::run(&options, &common).await?,
        Command::Naive(options) => return naive::run(options.port).await.map(|()| ExitCode::SUCCESS),
        Command::Floor(options) => return floor::run(options.port).await.map(|()| ExitCode::SUCCESS),
    };
    report.finish(&common)
}
