//! `cargo xtask lambda watch` and `invoke`: the emulator of cargo-lambda in front of programs that are built
//! already.
use std::path::PathBuf;

use anyhow::{Context, Result};
use messenger_devstack::environment::setting;
use messenger_devstack::lambda::Emulator;
use messenger_devstack::process::{Launch, Output};
use messenger_devstack::{CargoLambda, OutputQueue};

use super::build::install;
use super::functions::{chosen, program};
use crate::cargo::{programs, succeeds};
use crate::interrupt::Interrupt;

/// The port of the emulator, which is that of `cargo lambda`.
const PORT: u16 = 9000;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Watch {
    /// Only these functions, for example `rooms events`
    names: Vec<String>,
    /// The port of the gateway
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// The number of environments of each function: so many requests are answered at once
    #[arg(long, default_value_t = 2)]
    environments: usize,
    /// The directory of built programs [default: that of `cargo build`]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

#[derive(clap::Args, Clone, Debug)]
#[command(disable_help_flag = true)]
pub(crate) struct Invoke {
    /// Those of `cargo lambda invoke`, for example `messenger-worker --data-ascii '{"setup": true}'`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, default_value = "--help")]
    arguments: Vec<String>,
}

/// Runs the emulator and the functions until Ctrl-C. The programs get the environment of this command.
pub(super) async fn watch(options: &Watch) -> Result<()> {
    setting("DATABASE_URL").context("set DATABASE_URL and the other variables of the service")?;
    let names = chosen(&options.names)?;
    let mut interrupt = Interrupt::watch()?;
    let cargo_lambda = install().await?;
    tokio::select! {
        result = watch_until_failure(options, &names, &cargo_lambda) => result,
        () = interrupt.received() => Ok(()),
    }
}

async fn watch_until_failure(options: &Watch, names: &[String], cargo_lambda: &CargoLambda) -> Result<()> {
    let directory = match &options.programs {
        Some(directory) => std::path::absolute(directory)?,
        None => programs(false).await?,
    };
    let environments = options.environments.max(1);
    let mut emulator = Emulator::start(cargo_lambda, options.port, environments, Output::Inherited).await?;
    for program in names.iter().map(|name| program(name)) {
        for _ in 0..environments {
            let launch = Launch::new(&program, directory.join(&program)).output(Output::Inherited);
            emulator.add(&program, launch)?;
        }
    }
    OutputQueue::stdout().write(format!("\n{}/api/v1/health\nCtrl-C stops everything.\n", emulator.url()));
    Err(emulator.failure().await)
}

/// Runs `cargo lambda invoke`.
pub(super) async fn invoke(options: &Invoke) -> Result<bool> {
    let cargo_lambda = install().await?;
    // The emulator listens at this address only; an address that the caller gives comes later and counts.
    let address = ["invoke", "--invoke-address", "127.0.0.1"];
    let is_help = options.arguments.iter().any(|argument| argument == "--help");
    let launch = cargo_lambda.launch(if is_help { &address[..1] } else { &address[..] }.iter().copied());
    succeeds(launch.args(&options.arguments).output(Output::Inherited)).await
}
