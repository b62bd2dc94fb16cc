//! `cargo xtask lambda watch` and `invoke`: the emulator of cargo-lambda in front of programs that are built
//! already.
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use messenger_devstack::environment::setting;
use messenger_devstack::process::{Output, Process};

use super::build::install;
use crate::cargo::{programs, succeeds};
use crate::interrupt::Interrupt;

/// The port of the emulator, which is that of `cargo lambda`.
const PORT: u16 = 9000;
/// The time of the emulator for ending the functions.
const GRACE: Duration = Duration::from_secs(5);

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Watch {
    /// The port of the gateway
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// The most environments of a function: so many requests are answered at once
    #[arg(long, default_value_t = 8)]
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

/// Runs the emulator until Ctrl-C. The functions get the environment of this command.
pub(super) async fn watch(options: &Watch) -> Result<()> {
    setting("DATABASE_URL").context("set DATABASE_URL and the other variables of the service")?;
    let mut interrupt = Interrupt::watch()?;
    let cargo_lambda = install().await?;
    let directory = match &options.programs {
        Some(directory) => std::path::absolute(directory)?,
        None => programs(false).await?,
    };
    let launch = cargo_lambda.emulator(&directory, options.port, options.environments);
    let emulator = Process::spawn(launch.output(Output::Inherited))?;
    tokio::select! {
        status = emulator.ended() => bail!("cargo lambda watch ended ({status})"),
        () = interrupt.received() => {}
    }
    emulator.stop(GRACE).await;
    Ok(())
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
