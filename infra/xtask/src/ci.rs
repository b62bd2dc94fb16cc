//! `cargo xtask ci`: lint, then all tests with those of the containers.
use std::process::ExitCode;

use anyhow::Result;
use messenger_devstack::OutputQueue;
use tokio::time::Instant;

use crate::{lint, test};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The time from the start of this command until all containers are deleted again; their tests that no time is
    /// left for are skipped
    #[arg(long, value_name = "SECONDS")]
    within: Option<u64>,
}

/// Runs the tests even if a check failed: one run shows everything, and the log ends with what they counted.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let begin = Instant::now();
    let linted = lint::run().await;
    if let Err(error) = &linted {
        OutputQueue::stderr().write(format!("cargo xtask lint: {error:#}\n"));
    }
    let left = arguments.within.map(|within| within.saturating_sub(begin.elapsed().as_secs()));
    let tested = test::run(test::Arguments::of_ci(left)).await?;
    if matches!(linted, Ok(ExitCode::SUCCESS)) {
        return Ok(tested);
    }
    OutputQueue::stderr().write("cargo xtask lint failed (above the tests)\n");
    Ok(ExitCode::FAILURE)
}
