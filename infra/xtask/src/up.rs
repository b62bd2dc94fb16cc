//! `cargo xtask up`: the whole service on this machine, until Ctrl-C.
mod port_check;
mod registration;
mod schema;
mod settings;
mod stack;
mod stored_data;
mod temporary;
mod welcome;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use messenger_devstack::home::workspace;
use messenger_devstack::{Home, OutputQueue};

use crate::interrupt::Interrupt;
use crate::step::Step;

use settings::UpSettings;
use stack::Stack;
pub(crate) use temporary::Temporary;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The service's port
    #[arg(long, env, default_value_t = settings::PORT, value_parser = settings::parse_port)]
    port: u16,
    /// Build as for production: slower to build, faster to run
    #[arg(long)]
    release: bool,
    /// Delete the data of the own PostgreSQL and Synapse first, and start with empty ones
    #[arg(long = "fresh")]
    deletes_data: bool,
    /// The directory of databases, keys and logs [default: .dev/up]
    #[arg(long, value_name = "PATH")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    environment: settings::Environment,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut interrupt = Interrupt::watch()?;
    let directory = arguments.directory.clone().unwrap_or_else(|| Home::default().path("up"));
    let directory = std::path::absolute(directory)?;
    let _lock = stored_data::lock(&directory)?;
    port_check::ensure_free(arguments.port)?;
    if arguments.deletes_data {
        stored_data::delete(&directory)?;
    }
    let settings = UpSettings::read(&arguments, directory)?;
    let mut stack = Stack::default();
    let result = tokio::select! {
        result = run_until_failure(&mut stack, &settings) => result,
        () = interrupt.received() => Ok(()),
    };
    let stopped = tokio::select! {
        () = stop(&mut stack) => Ok(()),
        () = interrupt.received() => bail!("stopped at once by a second signal"),
    };
    result.and(stopped).map(|()| ExitCode::SUCCESS)
}

/// Starts all servers and waits until one fails.
async fn run_until_failure(stack: &mut Stack, settings: &UpSettings) -> Result<()> {
    stack.start(settings).await?;
    welcome::show(stack, settings).await?;
    Err(stack.failure().await)
}

async fn stop(stack: &mut Stack) {
    OutputQueue::stderr().write("\n");
    let step = Step::begin("Stopping");
    stack.stop(&step.progress()).await;
    step.done("everything");
}

/// Returns a path for messages, relative to the root of the workspace if it lies below it.
fn readable(path: &std::path::Path) -> String {
    path.strip_prefix(workspace()).unwrap_or(path).display().to_string()
}
