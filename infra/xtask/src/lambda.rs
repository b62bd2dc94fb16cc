//! `cargo xtask lambda`: the programs as functions of AWS Lambda.
mod build;
mod functions;
mod package;
pub(crate) mod template;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Clone, Debug)]
enum Action {
    /// Build functions for Lambda into target/functions, and print their sizes
    Build(build::Options),
    /// Build functions, and make the packages that infra/aws/template.yaml names
    Package(package::Options),
    /// Expand infra/aws/template.yaml to CloudFormation and lint the result, offline
    Check,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.action {
        Action::Build(options) => build::run(&options).await?,
        Action::Package(options) => package::run(&options).await?,
        Action::Check => {
            let is_accepted = template::is_accepted().await?;
            println!("lambda check: {}", if is_accepted { "ok" } else { "FAILED" });
            return Ok(if is_accepted { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
    }
    Ok(ExitCode::SUCCESS)
}
