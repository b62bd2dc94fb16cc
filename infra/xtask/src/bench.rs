//! `cargo xtask bench`: builds the release binaries and runs `messenger-bench` or `messenger-peers`.
use std::process::ExitCode;

use anyhow::{Result, ensure};
use messenger_devstack::process::{Launch, Output};

use crate::cargo::{Metadata, cargo, programs, succeeds};

const BENCH: &str = "messenger-bench";
const PEERS: &str = "messenger-peers";
/// The commands of `messenger-peers`: loads on event streams.
const STREAMS: [&str; 3] = ["fanout", "resume", "peers"];

#[derive(clap::Args, Clone, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// http, growth, relay or coldstart (messenger-bench), or fanout, resume or peers (messenger-peers), with options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "--help")]
    arguments: Vec<String>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let program = program(&arguments.arguments);
    let functions = functions().await?;
    let mut build = vec!["build", "--release", "--package", program];
    build.extend(functions.iter().flat_map(|function| ["--package", function]));
    ensure!(succeeds(cargo(build)).await?, "the build failed");
    let path = programs(true).await?.join(program);
    let launch = Launch::new(program, path).args(arguments.arguments).output(Output::Inherited);
    Ok(if succeeds(launch).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn program(arguments: &[String]) -> &'static str {
    let command = arguments.first().map(String::as_str).unwrap_or_default();
    if STREAMS.contains(&command) { PEERS } else { BENCH }
}

/// Returns the packages below `functions/`, which are deployed.
async fn functions() -> Result<Vec<String>> {
    let packages = Metadata::ask(&["--no-deps"]).await?.packages;
    let deployed = packages.into_iter().filter(|package| {
        let group = package.manifest_path.ancestors().nth(2).and_then(|group| group.file_name());
        group.is_some_and(|group| group == "functions")
    });
    Ok(deployed.map(|package| package.name).collect())
}
