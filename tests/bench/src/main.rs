//! `messenger-bench`: measures the service; `docs/performance.md` describes the loads.
use std::process::ExitCode;

use clap::Parser;
use messenger_bench::options::Options;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    messenger_bench::run(Options::parse()).await
}
