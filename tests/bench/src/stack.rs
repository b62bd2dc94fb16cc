//! The service as it ships: release binaries on a durable PostgreSQL and, where needed, a real homeserver.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use messenger_devstack::local_homeserver::{self, LocalHomeserver};
use messenger_devstack::messenger::{self, Configuration, LIVEZ, Programs};
use messenger_devstack::postgres::{self, Postgres};
use messenger_devstack::process::{Launch, Output, Process};
use messenger_devstack::service::Service;
use messenger_devstack::{Home, free_port};
use messenger_matrix::{Registration, registration};
use uuid::Uuid;

use crate::http::Server;
use crate::system::System;

/// The token that opens the router's `/metrics`.
pub(crate) const METRICS_TOKEN: &str = "the metrics token of the measurements";
pub(crate) const SERVER_NAME: &str = "bench.local";

/// The running parts of the service; they end with it, and their data are removed.
pub struct Stack {
    /// Its address and credentials.
    pub system: System,
    router: Service,
    _worker: Option<Process>,
    pub(crate) homeserver: Option<Homeserver>,
    database: Database,
    programs: Programs,
}

/// A running homeserver with the address and the token for requests to it.
pub(crate) struct Homeserver {
    pub(crate) server: Server,
    pub(crate) as_token: String,
    running: LocalHomeserver,
}

/// A PostgreSQL on which a commit is on the disk before it is acknowledged.
struct Database {
    postgres: Option<Postgres>,
    directory: PathBuf,
}

impl Stack {
    /// Starts the router and, with a homeserver, the worker.
    pub async fn start(programs: &Path, with_homeserver: bool) -> Result<Self> {
        let database = Database::start().await?;
        let server = Server::local(free_port()?);
        let url = format!("http://{}", server.host);
        let registration = Registration {
            id: "messenger".to_owned(),
            url: Some(url.clone()),
            as_token: Uuid::new_v4().to_string(),
            hs_token: Uuid::new_v4().to_string(),
            bot_localpart: messenger::BOT.to_owned(),
            server_name: SERVER_NAME.to_owned(),
        };
        let homeserver = if with_homeserver { Some(Homeserver::start(&registration).await?) } else { None };
        let configuration = Configuration {
            host: server.address.ip(),
            port: server.address.port(),
            database_url: database.url()?,
            homeserver_url: homeserver.as_ref().map(|homeserver| homeserver.running.url().to_owned()),
            server_name: SERVER_NAME.to_owned(),
            as_token: registration.as_token,
            hs_token: registration.hs_token,
            appservice_url: url,
            registration_secret: None,
            secret_key: "the secret key of the measurements".to_owned(),
            hub_secret_key: "the Hub's secret key of the measurements".to_owned(),
            service_token: "the service token of the measurements".to_owned(),
            log_level: "warn".to_owned(),
            // One user of a load sends as much in a second as a person in an hour.
            further: [
                ("LIMIT_SENDS_PER_USER", "0"),
                ("LIMIT_NEW_USERS_PER_TENANT", "0"),
                ("METRICS_TOKEN", METRICS_TOKEN),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        };
        let programs = Programs::new(programs, configuration, |_| Output::Kept);
        programs.set_up(&["--skip-homeserver"]).await?;
        let router = programs.start_router(LIVEZ).await?;
        let mut worker = None;
        if with_homeserver {
            // The homeserver pushes the bot's account first. If the router did not run yet, Conduit would push
            // nothing for half a minute.
            programs.set_up(&[]).await?;
            worker = Some(programs.start_worker()?);
        }
        let system = System {
            server,
            service_token: programs.configuration().service_token.clone(),
            hub_key: programs.configuration().hub_secret_key.clone(),
            hs_token: Some(programs.configuration().hs_token.clone()),
            pids: router.process().map(Process::id).into_iter().collect(),
            database_pids: database.pid().into_iter().collect(),
        };
        Ok(Self { system, router, _worker: worker, homeserver, database, programs })
    }

    pub(crate) fn database_url(&self) -> Result<String> {
        self.database.url()
    }

    /// Returns the launch of another program of the service with the same configuration.
    pub(crate) fn launch(&self, program: &str) -> Launch {
        self.programs.launch(program)
    }

    /// Stops the router, runs SQL statements with these parameters, and starts the router with empty caches.
    pub(crate) async fn fill(&mut self, statements: &[(&str, Vec<i64>)]) -> Result<()> {
        self.router.stop().await;
        let client = connect(&self.database_url()?).await?;
        for (statement, numbers) in statements {
            let numbers = numbers.iter().map(|number| number as &(dyn tokio_postgres::types::ToSql + Sync));
            client.execute(*statement, &numbers.collect::<Vec<_>>()).await?;
        }
        client.batch_execute("analyze").await?;
        client.batch_execute("checkpoint").await?;
        self.router.start_again().await
    }
}

impl Database {
    async fn start() -> Result<Self> {
        let directory = data_directory()?.join(format!("postgres-{}", Uuid::new_v4().simple()));
        let postgres = Postgres::start(postgres::Options::durable(&directory)).await?;
        postgres.ensure_database("messenger").await?;
        Ok(Self { postgres: Some(postgres), directory })
    }

    fn url(&self) -> Result<String> {
        Ok(self.postgres.as_ref().context("PostgreSQL was stopped")?.url("messenger"))
    }

    fn pid(&self) -> Option<i32> {
        Some(self.postgres.as_ref()?.process()?.id())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.postgres.take());
        // If that fails, the next run removes the directory.
        let _ = postgres::erase(&self.directory);
    }
}

impl Homeserver {
    async fn start(registration: &Registration) -> Result<Self> {
        let running = LocalHomeserver::start(local_homeserver::Options {
            directory: data_directory()?.join(format!("homeserver-{}", registration.as_token)),
            server_name: SERVER_NAME.to_owned(),
            registration: registration::yaml(registration),
            allow_encryption: false,
        })
        .await?;
        Ok(Self { server: Server::parse(running.url())?, as_token: registration.as_token.clone(), running })
    }

    /// Returns the name for reports.
    pub(crate) fn name(&self) -> &'static str {
        self.running.name()
    }
}

/// Connects to a database.
pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    messenger_postgres::connect(url).await.context("connecting to PostgreSQL")
}

/// Returns the directory for the data of this process, and removes those of processes that have ended.
pub fn data_directory() -> Result<PathBuf> {
    let all = Home::default().path("bench");
    for entry in fs::read_dir(&all).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(entry.file_name()).exists() {
            // Clusters may be stored elsewhere, and their servers may still run.
            for part in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                if part.file_name().to_string_lossy().starts_with("postgres") {
                    let _ = postgres::erase(&part.path());
                }
            }
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let directory = all.join(std::process::id().to_string());
    fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    Ok(directory)
}
