//! `cargo xtask compose`: the Compose file as it is, on an engine of this machine or an own one.
mod control;
mod deployment;
mod memory;
mod network;
mod project;
mod proof;
mod reset;
mod secrets;
mod synapse;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Subcommand;
use messenger_devstack::{Engine, Home, OutputQueue};

use crate::interrupt::Interrupt;
use crate::step::Step;
use crate::terminal::Style;

use deployment::Deployment;
use project::Project;
pub(crate) use proof::run as prove;

/// The names of the projects, which begin the names of containers and volumes.
const PROJECT: &str = "messenger-service";
const TEST_PROJECT: &str = "messenger-test";

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
    let mut project = Project::start(PROJECT).await?;
    let result = tokio::select! {
        result = up_until_failure(&mut project, programs) => result,
        () = interrupt.received() => Ok(()),
    };
    OutputQueue::stderr().write("\n");
    let step = Step::begin("Stopping");
    let progress = step.progress();
    let stopped = tokio::select! {
        stopped = project.stop_containers(&progress) => stopped,
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
    let deployment = Deployment::start(project, Home::default().path("compose-up")).await?;
    let ways = deployment.open_ways(project).await?;
    let hint = Style::of_stdout().dim("Ctrl-C stops everything; the next start finds all data again.");
    OutputQueue::stdout().write(format!("\n{}\n{hint}\n", ways.lines()));
    Err(deployment.failure(project).await)
}

async fn down() -> Result<ExitCode> {
    for name in [PROJECT, TEST_PROJECT] {
        let mut project = Project::start(name).await?;
        let step = Step::begin("Deleting");
        let deleted = project.delete(&step.progress()).await;
        project.engine.stop().await;
        deleted?;
        step.done(&format!("containers, networks and volumes of {name}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the reason why this machine cannot run the containers; `None` if it can.
pub(crate) async fn obstacle() -> Option<&'static str> {
    Engine::obstacle().await
}
