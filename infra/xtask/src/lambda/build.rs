//! `cargo xtask lambda build`: compiles functions by cargo-lambda, in the profile `lambda`.
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, ensure};
use messenger_devstack::process::Output;
use messenger_devstack::{CargoLambda, Home, OutputQueue};

use super::functions::{DIRECTORY, chosen, folder, megabytes, program};
use crate::cargo::succeeds;
use crate::pages;
use crate::step::Step;

/// The function that embeds the pages.
const WITH_PAGES: &str = "web";

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Build {
    /// Only these functions, for example `rooms worker`
    names: Vec<String>,
    /// For Graviton; else for x86-64
    #[arg(long)]
    arm64: bool,
    /// The oldest processor on which the programs must run [default: that of the architecture]
    #[arg(long, value_name = "NAME")]
    target_cpu: Option<String>,
}

impl Build {
    /// Returns the build of one function for Graviton.
    pub(super) fn arm64(name: &str) -> Self {
        Self { names: vec![name.to_owned()], arm64: true, target_cpu: None }
    }
}

pub(super) async fn run(options: &Build) -> Result<()> {
    let (_, names) = build(options).await?;
    print("Programs", &names, "bootstrap")
}

/// Builds the functions. Returns cargo-lambda, and the names of the functions.
pub(super) async fn build(options: &Build) -> Result<(CargoLambda, Vec<String>)> {
    let names = chosen(&options.names)?;
    if names.iter().any(|name| name == WITH_PAGES) {
        pages::ensure_built().await?;
    }
    let cargo_lambda = install().await?;
    let arguments = arguments(options, &names);
    let launch = cargo_lambda.launch(arguments.iter().map(String::as_str)).output(Output::Inherited);
    // Without `--release`, cargo-lambda adds neither a processor nor a profile of its own.
    let launch = match &options.target_cpu {
        Some(name) => launch.env("RUSTFLAGS", format!("-C target-cpu={name}")),
        None => launch,
    };
    ensure!(succeeds(launch).await?, "the build failed");
    Ok((cargo_lambda, names))
}

pub(super) async fn install() -> Result<CargoLambda> {
    let step = Step::begin("cargo-lambda");
    let cargo_lambda = CargoLambda::ensure(&Home::default(), &step.progress()).await?;
    step.done("installed");
    Ok(cargo_lambda)
}

/// Returns the arguments of `cargo lambda`. Each program is named: it would build all of the workspace.
fn arguments(options: &Build, names: &[String]) -> Vec<String> {
    let architecture = if options.arm64 { "--arm64" } else { "--x86-64" };
    let mut arguments = ["build", "--locked", "--profile", "lambda", "--lambda-dir", DIRECTORY, architecture]
        .map(str::to_owned)
        .to_vec();
    for name in names {
        arguments.extend(["--package", &program(name), "--bin", &program(name)].map(str::to_owned));
    }
    arguments
}

/// Prints the sizes of one file of each function.
pub(super) fn print(title: &str, names: &[String], file: &str) -> Result<()> {
    let mut rows = format!("\n{title}\n");
    for name in names {
        let path = folder(name).join(file);
        let _ = writeln!(rows, "  {:<55} {:>5.1} MB", readable(&path), megabytes(&path)?);
    }
    OutputQueue::stdout().write(rows);
    Ok(())
}

fn readable(path: &Path) -> String {
    let root = messenger_devstack::home::workspace();
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_names_its_programs_and_its_architecture() {
        let options = Build { names: Vec::new(), arm64: true, target_cpu: None };
        let arguments = arguments(&options, &["rooms".to_owned(), "worker".to_owned()]).join(" ");
        assert!(arguments.contains("--profile lambda --lambda-dir target/functions --arm64"), "{arguments}");
        let programs = "--package messenger-rooms --bin messenger-rooms \
                        --package messenger-worker --bin messenger-worker";
        assert!(arguments.ends_with(programs), "{arguments}");
    }
}
