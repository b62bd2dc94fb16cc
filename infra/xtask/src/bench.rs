//! `cargo xtask bench`: builds what ships, and measures it with `messenger-bench`.
use std::process::ExitCode;

use anyhow::{Result, ensure};
use messenger_devstack::process::{Launch, Output};

use crate::cargo::{Metadata, cargo, programs, succeeds};

#[derive(clap::Args, Clone, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// What messenger-bench is told: http, fanout, resume, growth, coldstart, peers; `--help` explains them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "--help")]
    arguments: Vec<String>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let functions = functions().await?;
    let mut build = vec!["build", "--release", "--package", "messenger-bench"];
    build.extend(functions.iter().flat_map(|function| ["--package", function]));
    ensure!(succeeds(cargo(build)).await?, "the build failed");
    let program = programs(true).await?.join("messenger-bench");
    let bench = Launch::new("messenger-bench", program).args(arguments.arguments).output(Output::Inherited);
    Ok(if succeeds(bench).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The packages below `functions/`: what is deployed.
async fn functions() -> Result<Vec<String>> {
    let packages = Metadata::ask(&["--no-deps"]).await?.packages;
    let deployed = packages.into_iter().filter(|package| {
        let group = package.manifest_path.ancestors().nth(2).and_then(|group| group.file_name());
        group.is_some_and(|group| group == "functions")
    });
    Ok(deployed.map(|package| package.name).collect())
}
