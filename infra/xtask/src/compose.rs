//! `cargo xtask compose`: the Compose file as it is, on an engine of this machine or an own one.
mod conduit;
mod control;
mod deployment;
mod homeserver;
mod memory;
mod network;
mod project;
mod proof;
mod reset;
mod secrets;
mod synapse;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use messenger_devstack::conduit::binary;
use messenger_devstack::{Engine, Home, OutputQueue};

use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::step::Step;
use crate::terminal::Style;

use deployment::Deployment;
use project::Project;
pub(crate) use proof::{count_tests, run as prove};

/// The names of the projects, which begin the names of containers and volumes. A real deployment is
/// `messenger-service` (docs/operating.md): no command here touches it. Each homeserver has data of its own.
const PROJECT: &str = "messenger-dev";
const PROJECT_ON_CONDUIT: &str = "messenger-dev-on-conduit";
const TEST_PROJECT: &str = "messenger-test";
/// The directory of the Synapse of `up`, below that of this workspace.
const SYNAPSE_OF_UP: &str = "compose-up";

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Clone, Debug)]
enum Action {
    /// Start all containers until Ctrl-C; their data stay for the next start
    Up {
        /// The directory of built programs [default: that of `cargo build --release`, which runs first]
        #[arg(long, value_name = "DIR")]
        programs: Option<PathBuf>,
    },
    /// Start all containers with new data, prove what the service promises, and delete everything
    Test {
        /// The directory of built programs [default: that of `cargo build`, which runs first]
        #[arg(long, value_name = "DIR")]
        programs: Option<PathBuf>,
        /// Only tests whose name contains one of these
        filter: Vec<String>,
    },
    /// Delete the containers and their data
    Down,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.action {
        Action::Up { programs } => up(programs).await,
        Action::Test { programs, filter } => proof::run_alone(programs, &filter).await,
        Action::Down => down().await,
    }
}

async fn up(programs: Option<PathBuf>) -> Result<ExitCode> {
    let mut interrupt = Interrupt::watch()?;
    let name = if binary().is_some() { PROJECT_ON_CONDUIT } else { PROJECT };
    let mut project = tokio::select! {
        engine = working_engine() => Project::new(engine?, name)?,
        () = interrupt.received() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let result = tokio::select! {
        result = up_until_failure(&mut project, programs) => result,
        () = interrupt.received() => Ok(()),
    };
    if result.is_err() {
        project.print_logs().await;
    }
    OutputQueue::stderr().write("\n");
    let step = Step::begin("Stopping");
    let progress = step.progress();
    let stopped = tokio::select! {
        stopped = project.remove_containers(&progress) => stopped,
        () = interrupt.received() => bail!("stopped at once by a second signal"),
    };
    project.engine.stop().await;
    step.done("everything; the data stay (`cargo xtask compose down` deletes them)");
    result.and(stopped).map(|()| ExitCode::SUCCESS)
}

async fn up_until_failure(project: &mut Project, programs: Option<PathBuf>) -> Result<()> {
    let programs = match programs {
        Some(directory) => directory,
        None => crate::images::built_for_release().await?,
    };
    crate::images::build_prebuilt(&project.engine, &programs, &crate::images::all()?).await?;
    let deployment = Deployment::start(project, Home::default().path(SYNAPSE_OF_UP)).await?;
    let ways = deployment.open_ways(project).await?;
    let hint = Style::of_stdout().dim("Ctrl-C stops everything; the next start finds all data again.");
    OutputQueue::stdout().write(format!("\n{}\n{hint}\n", ways.lines()));
    Err(deployment.failure(project).await)
}

async fn down() -> Result<ExitCode> {
    let mut engine = start_engine().await?;
    for name in [PROJECT, PROJECT_ON_CONDUIT, TEST_PROJECT] {
        let step = Step::begin("Deleting");
        let project = Project::new(engine, name)?;
        let deleted = project.delete(&step.progress()).await;
        engine = project.engine;
        if deleted.is_err() {
            engine.stop().await;
        }
        deleted?;
        step.done(&format!("containers, networks and volumes of {name}"));
    }
    engine.stop().await;
    let synapse = Home::default().path(SYNAPSE_OF_UP);
    if synapse.exists() {
        fs::remove_dir_all(&synapse).with_context(|| format!("deleting {}", synapse.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts an engine with the base images that runs containers. The error is the reason why there is none.
pub(crate) async fn working_engine() -> Result<Engine> {
    let mut engine = start_engine().await?;
    let checked = async {
        crate::images::prepare_bases(&engine).await?;
        engine.ensure_runs_containers().await
    };
    let checked = checked.await;
    if checked.is_err() {
        engine.stop().await;
    }
    checked.map(|()| engine)
}

async fn start_engine() -> Result<Engine> {
    let home = Home::default();
    if let Some(reason) = Engine::obstacle(&home).await {
        bail!("{reason}");
    }
    let step = Step::begin("Engine");
    let engine = Engine::start(&home, &step.progress()).await?;
    step.done(&engine.describe().await?);
    Ok(engine)
}
