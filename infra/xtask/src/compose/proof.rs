//! `cargo xtask compose test`: proves on new containers what the service promises.
mod runner;
mod steps;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use messenger_devstack::process::traced;
use messenger_devstack::{Engine, Home, OutputQueue, engine};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

use super::control::{Control, Controlled};
use super::homeserver::Homeserver;
use super::memory::Memory;
use super::project::Project;
use super::{TEST_PROJECT, working_engine};
use crate::cargo::{cargo, programs as built_programs, succeeds};
use crate::images::{self, Image};
use crate::interrupt::Interrupt;
use crate::step::Step;

pub(crate) use runner::count_tests;
use runner::{Runner, Target};
pub(crate) use steps::Steps;

/// The time limit of all steps on a busy machine. They take 12 minutes on a quiet one with two cores.
const LIMIT: Duration = Duration::from_mins(25);
/// The time limit for deleting the containers. It takes 10 to 20 s.
const DELETE_LIMIT: Duration = Duration::from_mins(2);
/// The time limit of all containers for becoming healthy, on a busy machine. The goal is 60 s on a quiet one with
/// two cores, where it takes 25 to 35 s; the steps are printed with their times.
const UP_LIMIT: Duration = Duration::from_secs(150);
/// All combinations of Compose files.
const FILES: [&[&str]; 4] = [
    &["-f", "docker-compose.local.yml"],
    &["-f", "docker-compose.local.yml", "-f", "docker-compose.hub.yml"],
    &["-f", "docker-compose.local.yml", "-f", "infra/images/ci.yml"],
    &["-f", "docker-compose.local.yml", "-f", "infra/images/ci.yml", "-f", "infra/images/synapse.yml"],
];

/// Runs the proof as a command. Without an engine, it fails.
pub(super) async fn run_alone(directory: Option<PathBuf>, filter: &[String]) -> Result<ExitCode> {
    let mut interrupt = Interrupt::watch()?;
    let directory = if let Some(directory) = directory {
        directory
    } else {
        ensure!(succeeds(cargo(["build", "--workspace", "--bins"])).await?, "the build failed");
        built_programs(false).await?
    };
    let engine = tokio::select! {
        engine = working_engine() => engine?,
        () = interrupt.received() => bail!("interrupted"),
    };
    let steps = run(engine, &directory, filter, None, interrupt.received()).await?;
    Ok(if steps.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the proof with the programs in `directory`, and prints its steps. The containers are removed also after
/// an interruption, which is an error. At `end`, the steps that are left are skipped.
pub(crate) async fn run(
    engine: Engine,
    directory: &Path,
    filter: &[String],
    end: Option<Instant>,
    interrupted: impl Future<Output = ()>,
) -> Result<Steps> {
    let project = Project::new(engine, TEST_PROJECT)?;
    let homeserver = Homeserver::start(&project, Home::default().path("compose-test")).await?;
    let controlled = Arc::new(Controlled {
        project,
        homeserver: Mutex::new(homeserver),
        memory: Mutex::new(Memory::default()),
    });
    let mut steps = Steps::default();
    let proof = Proof { controlled: &controlled, directory, filter };
    let result = tokio::select! {
        result = proof.run_until(end, &mut steps) => result,
        () = interrupted => Err(anyhow!("interrupted")),
    };
    if result.is_err() {
        controlled.project.print_logs().await;
    }
    let step = Step::begin("Deleting");
    let deleted = timeout(DELETE_LIMIT, controlled.project.delete(&step.progress())).await;
    let deleted = deleted.unwrap_or_else(|_| Err(too_long("deleting the containers", DELETE_LIMIT)));
    if deleted.is_ok() {
        step.done("all containers and their data");
    }
    if let Some(controlled) = Arc::into_inner(controlled) {
        let mut project = controlled.project;
        project.engine.stop().await;
    }
    steps.print();
    deleted.and(result)?;
    Ok(steps)
}

fn too_long(what: &str, limit: Duration) -> Error {
    anyhow!("{what} did not end within {limit:?}")
}

/// The proof of one deployment.
struct Proof<'a> {
    controlled: &'a Arc<Controlled>,
    directory: &'a Path,
    filter: &'a [String],
}

impl Proof<'_> {
    /// Runs the proof until its end, or until that of the time for it.
    async fn run_until(&self, end: Option<Instant>, steps: &mut Steps) -> Result<()> {
        let limit = Instant::now() + LIMIT;
        let ended = timeout_at(end.map_or(limit, |end| end.min(limit)), self.run(steps)).await;
        match (ended, end) {
            (Ok(result), _) => result,
            (Err(_), Some(end)) if end <= limit => {
                steps.stop(count_tests(self.filter).await?, "no time was left for the rest");
                Ok(())
            }
            (Err(_), _) => Err(too_long("the proof", LIMIT)),
        }
    }

    async fn run(&self, steps: &mut Steps) -> Result<()> {
        let project = &self.controlled.project;
        // Left by a run that was killed.
        project.delete(&traced()).await?;
        let images = steps.run("Images", self.build_images()).await?;
        steps.run("Compose files are valid", self.check_files()).await?;
        steps.run("All healthy from nothing", self.up()).await?;
        self.measure("idle").await?;
        project.stop_containers(&traced()).await?;
        steps.run("All healthy with data", self.up()).await?;
        project.make_template().await.context("making an empty database")?;
        let control = Control::start(self.controlled).await?;
        let runner = Runner::build(self.controlled, &control).await?;
        for target in Target::ALL {
            steps.tests(target.title(), async |tests| runner.run(target, self.filter, tests).await).await?;
        }
        images::print(&images);
        let table = self.controlled.memory.lock().await.table();
        OutputQueue::stdout().write(format!("\nMemory\n{table}"));
        Ok(())
    }

    async fn build_images(&self) -> Result<Vec<Image>> {
        images::build_prebuilt(&self.controlled.project.engine, self.directory, &images::all()?).await
    }

    async fn check_files(&self) -> Result<()> {
        let project = &self.controlled.project;
        for files in FILES {
            let launch = project.engine.compose(files.iter().copied().chain(["config", "--quiet"]));
            let launch = launch.directory(messenger_devstack::home::workspace());
            engine::run(project.configure(launch), &traced()).await?;
        }
        Ok(())
    }

    async fn up(&self) -> Result<()> {
        let step = Step::begin("Containers");
        let took = self.controlled.project.up(&step.progress()).await?;
        step.done("all healthy");
        ensure!(took < UP_LIMIT, "{:.1} s", took.as_secs_f64());
        Ok(())
    }

    async fn measure(&self, title: &str) -> Result<()> {
        self.controlled.memory.lock().await.measure(&self.controlled.project, title).await
    }
}
