//! The servers of a running service. They stop in the reverse order of their start.
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use messenger_devstack::OutputQueue;
use messenger_devstack::messenger::{Programs, ROUTER, WORKER};
use messenger_devstack::port::stored_port;
use messenger_devstack::postgres::{self, Postgres};
use messenger_devstack::process::{Output, Process, Sink, prefixed};
use messenger_devstack::service::Service;
use messenger_devstack::synapse::{self, Synapse};

use super::settings::UpSettings;
use super::{port_check, registration, schema};
use crate::cargo::{cargo, programs, succeeds};
use crate::pages;
use crate::step::Step;
use crate::terminal::Style;

const DATABASE: &str = "messenger";
/// Time limit of the service for stopping.
const GRACE: Duration = Duration::from_secs(10);

/// The servers that run.
#[derive(Debug, Default)]
pub(super) struct Stack {
    pub(super) postgres: Option<Postgres>,
    pub(super) synapse: Option<Synapse>,
    router: Option<Service>,
    worker: Option<Process>,
}

impl Stack {
    pub(super) async fn start(&mut self, settings: &UpSettings) -> Result<()> {
        self.start_postgres(settings).await?;
        self.start_synapse(settings).await?;
        pages::ensure_built().await?;
        build(settings.release).await?;
        self.start_service(settings).await
    }

    /// Returns the URL of the database.
    pub(super) fn database_url(&self, settings: &UpSettings) -> String {
        let own = self.postgres.as_ref().map(|postgres| postgres.url(DATABASE));
        own.or_else(|| settings.database_url.clone()).unwrap_or_default()
    }

    /// Returns the URL of the homeserver.
    pub(super) fn homeserver_url(&self, settings: &UpSettings) -> String {
        let own = self.synapse.as_ref().map(|synapse| synapse.url().to_owned());
        own.or_else(|| settings.homeserver_url.clone()).unwrap_or_default()
    }

    async fn start_postgres(&mut self, settings: &UpSettings) -> Result<()> {
        if settings.database_url.is_some() {
            return Ok(());
        }
        let step = Step::begin("PostgreSQL");
        let mut options = postgres::Options::durable(settings.directory.join("postgres"));
        options.port = stored_port(&settings.directory.join("postgres.port"))?;
        let postgres = Postgres::start_with(options, &step.progress()).await?;
        postgres.ensure_database(DATABASE).await?;
        step.done(&format!("{} on port {}", postgres.version(), postgres.port()));
        self.postgres = Some(postgres);
        Ok(())
    }

    async fn start_synapse(&mut self, settings: &UpSettings) -> Result<()> {
        if settings.homeserver_url.is_some() {
            return Ok(());
        }
        let step = Step::begin("Synapse");
        let mut options = synapse::Options::new(settings.directory.join("synapse"));
        synapse::install(&options.home, &step.progress()).await?;
        options.port = stored_port(&settings.directory.join("synapse.port"))?;
        options.server_name.clone_from(&settings.server_name);
        options.registrations.push(registration::yaml(settings));
        step.progress()("starting");
        let synapse = Synapse::start(options).await?;
        step.done(&format!("{} at {}", synapse::VERSION, synapse.url()));
        self.synapse = Some(synapse);
        Ok(())
    }

    async fn start_service(&mut self, settings: &UpSettings) -> Result<()> {
        let secret = self.synapse.as_ref().map(|synapse| synapse.accounts().registration_secret().to_owned());
        let configuration =
            settings.configuration(self.database_url(settings), self.homeserver_url(settings), secret);
        let programs = Programs::new(programs(settings.release).await?, configuration, output);
        let step = Step::begin("Setup");
        if let Err(error) = programs.set_up(&[]).await {
            let output = error.to_string();
            return Err(match schema::advice(&output, settings.database_url.is_none()) {
                Some(advice) => anyhow!("{advice}\n{output}"),
                None => error,
            });
        }
        step.done("database migrated, homeserver ready");
        // The build may have taken minutes.
        port_check::ensure_free(settings.port)?;
        let step = Step::begin("Service");
        self.worker = Some(programs.start_worker()?);
        // The example requests of the welcome need more than an open port.
        self.router = Some(programs.start_router("/api/v1/health").await?);
        step.done(&format!("at {}", settings.url()));
        Ok(())
    }

    /// Waits until a server ends unexpectedly. Returns an error with its name and its last lines.
    pub(super) async fn failure(&self) -> anyhow::Error {
        let router = self.router.as_ref().and_then(Service::process);
        let postgres = self.postgres.as_ref().and_then(Postgres::process);
        let synapse = self.synapse.as_ref().and_then(|synapse| synapse.process());
        tokio::select! {
            error = unexpected_end(router) => error,
            error = unexpected_end(self.worker.as_ref()) => error,
            error = unexpected_end(postgres) => error,
            error = unexpected_end(synapse) => error,
        }
    }

    /// Stops all servers and waits for their end.
    pub(super) async fn stop(&mut self, progress: &Sink) {
        progress("router and worker");
        let worker = self.worker.take();
        let router = self.router.take();
        tokio::join!(
            async {
                if let Some(worker) = worker {
                    worker.stop(GRACE).await;
                }
            },
            async {
                if let Some(mut router) = router {
                    router.stop().await;
                }
            },
        );
        progress("Synapse");
        if let Some(mut synapse) = self.synapse.take() {
            synapse.stop().await;
        }
        progress("PostgreSQL");
        if let Some(mut postgres) = self.postgres.take() {
            postgres.stop().await;
        }
    }
}

async fn unexpected_end(process: Option<&Process>) -> anyhow::Error {
    let Some(process) = process else { return std::future::pending().await };
    let status = process.ended().await;
    anyhow!("{} ended unexpectedly ({status}). Its last lines:\n{}", process.name(), process.last_lines())
}

async fn build(release: bool) -> Result<()> {
    let mut arguments = vec!["build", "--package", ROUTER, "--package", WORKER];
    if release {
        arguments.push("--release");
    }
    OutputQueue::stderr().write(format!("  cargo {}\n", arguments.join(" ")));
    ensure!(succeeds(cargo(arguments)).await?, "the build failed");
    Ok(())
}

/// Returns the destination of a program's output: standard output, with a coloured name in front.
fn output(program: &str) -> Output {
    let (name, colour) = match program {
        ROUTER => ("router", 36),
        WORKER => ("worker", 35),
        other => (other, 33),
    };
    Output::Lines(prefixed(name, Style::of_stdout().colour(colour)))
}
