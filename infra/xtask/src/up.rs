//! `cargo xtask up`: the whole service here, from nothing, until Ctrl-C.
mod holder;
mod registration;
mod settings;
mod stack;
mod welcome;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use messenger_devstack::home::{Lock, workspace};
use messenger_devstack::{Home, Outlet};

use crate::interrupt::Interrupt;
use crate::step::Step;

use settings::UpSettings;
use stack::Stack;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The service's port
    #[arg(long, env, default_value_t = settings::PORT, value_parser = settings::parse_port)]
    port: u16,
    /// Build as for production: slower to build, faster to run
    #[arg(long)]
    release: bool,
    /// Forget everything first: begin with an empty database and an empty homeserver
    #[arg(long)]
    fresh: bool,
    /// Where databases, keys and logs are kept [default: .dev/up]
    #[arg(long, value_name = "PATH")]
    directory: Option<PathBuf>,
    #[command(flatten)]
    environment: settings::Environment,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut interrupt = Interrupt::watch()?;
    let directory = arguments.directory.clone().unwrap_or_else(|| Home::default().path("up"));
    let directory = std::path::absolute(directory)?;
    let _lock = Lock::try_take(&directory.join("lock"))?.with_context(|| {
        format!(
            "another `cargo xtask up` runs in {}: stop it, or name another place with --directory",
            directory.display()
        )
    })?;
    holder::ensure_free(arguments.port)?;
    if arguments.fresh {
        stack::forget(&directory)?;
    }
    let settings = UpSettings::read(&arguments, directory)?;
    let mut stack = Stack::default();
    let result = tokio::select! {
        result = work(&mut stack, &settings) => result,
        () = interrupt.received() => Ok(()),
    };
    let stopped = tokio::select! {
        () = stop(&mut stack) => Ok(()),
        () = interrupt.received() => bail!("stopped at once: asked a second time"),
    };
    result.and(stopped).map(|()| ExitCode::SUCCESS)
}

/// Starts everything, and stays as long as everything runs.
async fn work(stack: &mut Stack, settings: &UpSettings) -> Result<()> {
    stack.start(settings).await?;
    welcome::show(stack, settings).await?;
    Err(stack.failure().await)
}

async fn stop(stack: &mut Stack) {
    Outlet::stderr().write("\n");
    let step = Step::begin("Stopping");
    stack.stop(&step.progress()).await;
    step.done("everything");
}

/// A path as people read it: from where they are.
fn readable(path: &std::path::Path) -> String {
    path.strip_prefix(workspace()).unwrap_or(path).display().to_string()
}
