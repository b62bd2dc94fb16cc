//! Load generators for the service, the bare homeserver and the bare database: see `docs/performance.md`.
#![expect(
    clippy::cast_precision_loss,
    reason = "reports show three digits; an f64 is exact enough for everything that is counted here"
)]

mod coldstart;
mod growth;
pub mod http;
mod http_load;
pub mod latency;
mod load;
pub mod machine;
pub mod options;
mod outcome;
mod pgbench;
mod relay;
pub mod report;
mod request;
pub mod stack;
pub mod system;

use std::process::ExitCode;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use options::{Command, Options};
use report::Report;

/// Runs the command and prints its report. Returns a failure if the run was refused.
pub async fn run(options: Options) -> Result<ExitCode> {
    raise_open_files_limit();
    let (common, mut report) = (&options.common, Report::new(options.command.name()));
    match &options.command {
        Command::Http(options) => http_load::run(options, common, &mut report).await?,
        Command::GrowingData(options) => growth::run(options, common, &mut report).await?,
        Command::Relay(options) => relay::run(options, &mut report).await?,
        Command::Coldstart(options) => coldstart::run(options, common, &mut report).await?,
    }
    report.finish(common)
}

/// Raises the limit of open files as far as the user may; programs that are started later inherit it.
pub fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
