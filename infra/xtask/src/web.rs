//! `cargo xtask web`: the front end of `functions/web`, by a Node of its own.
mod journeys;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use messenger_devstack::process::{Launch, Output};

use crate::cargo::succeeds;
use crate::interrupt::Interrupt;
use crate::pages::{Toolchain, ensure_built};
use crate::terminal::Style;

pub(crate) use journeys::{Journeys, run as run_journeys};

/// The steps of `check`, which are scripts of `package.json`.
const CHECKS: [&str; 6] = ["types", "check:types", "check:lint", "check:unit", "check:unused", "check:size"];

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Command {
    /// Serve the pages with hot reload, on the interface of a running `up` or of the variable `MESSENGER_URL`
    Dev,
    /// Build the pages, which the next `cargo build` embeds; nothing is done if no source has changed
    Build,
    /// Check types, lint, unit tests, unused code and size
    Check,
    /// Take pictures of each page, theme and size, into functions/web/app/shots
    Shots {
        /// Only those whose name contains this
        filter: Vec<String>,
    },
    /// Run the journeys in a browser, on a service that is started for them
    Test {
        /// Only journeys whose name contains this
        filter: Vec<String>,
        /// Whole instead of in short: a room of 10 000, 300 messages through cuts, 24 hours in fast time; and
        /// figures of speed, and lists of a million rows
        #[arg(long)]
        long: bool,
    },
}

pub(crate) async fn run(command: Command) -> Result<ExitCode> {
    let mut interrupt = Interrupt::watch()?;
    let passed = tokio::select! {
        result = act(command) => result?,
        () = interrupt.received() => true,
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn act(command: Command) -> Result<bool> {
    match command {
        Command::Dev => {
            let toolchain = Toolchain::ensure().await?;
            succeeds(toolchain.script("types")).await?;
            succeeds(toolchain.script("dev").output(Output::Inherited)).await
        }
        Command::Build => ensure_built().await.map(|()| true),
        Command::Check => check().await,
        Command::Shots { filter } => Ok(run_journeys(&Journeys::pictures(filter)).await?.0),
        Command::Test { filter, long } => Ok(run_journeys(&Journeys::of(filter, long)).await?.0),
    }
}

/// Runs all checks, so that one run shows every violation. Returns whether all passed.
pub(crate) async fn check() -> Result<bool> {
    ensure_built().await?;
    let toolchain = Toolchain::ensure().await?;
    let mut results = Vec::new();
    for name in CHECKS {
        let script: Launch = toolchain.script(name).output(Output::Inherited);
        results.push((name, succeeds(script).await?));
    }
    let style = Style::of_stdout();
    let verdict = |passed: bool| if passed { style.green("ok") } else { style.red("FAILED") };
    let line: Vec<_> = results.iter().map(|(name, passed)| format!("{name} {}", verdict(*passed))).collect();
    println!("web check: {}", line.join(", "));
    Ok(results.iter().all(|(_, passed)| *passed))
}
