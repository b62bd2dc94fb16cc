//! `cargo xtask lambda`: the programs as functions of AWS Lambda.
mod arm64;
mod bench;
mod build;
mod functions;
mod package;
mod request;
mod service;
pub(crate) mod template;
mod watch;

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
    Build(build::Build),
    /// Build functions, and make the packages that infra/aws/template.yaml names
    Package(package::Package),
    /// Start the emulator of Lambda, and programs that are built already as its functions, until Ctrl-C
    Watch(watch::Watch),
    /// Invoke a function of the emulator, as `cargo lambda invoke` does
    Invoke(watch::Invoke),
    /// Measure sizes, cold starts and memory of packaged functions; a missed goal is a failure
    Bench(bench::Bench),
    /// Build a function for Graviton, and run it on an emulated processor with a real database
    Arm64,
    /// Expand infra/aws/template.yaml by SAM and lint the result, offline
    Check,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let passed = match arguments.action {
        Action::Build(options) => build::run(&options).await.map(|()| true)?,
        Action::Package(options) => package::run(&options).await.map(|()| true)?,
        Action::Watch(options) => watch::watch(&options).await.map(|()| true)?,
        Action::Invoke(options) => watch::invoke(&options).await?,
        Action::Bench(options) => bench::run(&options).await?,
        Action::Arm64 => arm64::run().await.map(|()| true)?,
        Action::Check => check().await?,
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn check() -> Result<bool> {
    let is_accepted = template::is_accepted().await?;
    println!("lambda check: {}", if is_accepted { "ok" } else { "FAILED" });
    Ok(is_accepted)
}
