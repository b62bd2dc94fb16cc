//! The service as it ships: release binaries on a durable PostgreSQL and, where needed, a real homeserver.
use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_devstack::postgres::{self, Postgres};
use messenger_devstack::process::{Launch, Output, Process};
use messenger_devstack::service::Service;
use messenger_devstack::{Conduit, Home, Synapse, conduit, free_port, synapse};
use messenger_matrix::{Registration, registration};
use tokio_postgres::NoTls;
use uuid::Uuid;

use crate::http::Server;
use crate::system::System;

/// Time limit for the start of a program on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);
pub(crate) const SERVER_NAME: &str = "bench.local";
pub(crate) const BOT: &str = "messenger";
/// The homeserver's address where there is none: a port on which nothing listens.
const NO_HOMESERVER: &str = "http://127.0.0.1:9";

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

/// A running homeserver: Conduit where `CONDUIT_BIN` names one, otherwise Synapse.
pub(crate) struct Homeserver {
    pub(crate) name: &'static str,
    pub(crate) server: Server,
    pub(crate) as_token: String,
    _running: Box<dyn Any + Send>,
}

/// A PostgreSQL on which a commit is on the disk before it is acknowledged.
struct Database {
    postgres: Option<Postgres>,
    directory: PathBuf,
}

/// The directory of the binaries, and their environment.
struct Programs(PathBuf, Vec<(&'static str, String)>);

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
            bot_localpart: BOT.to_owned(),
            server_name: SERVER_NAME.to_owned(),
        };
        let homeserver = if with_homeserver { Some(Homeserver::start(&registration).await?) } else { None };
        let homeserver_url =
            homeserver.as_ref().map(|homeserver| format!("http://{}", homeserver.server.host));
        let hub_key = "the Hub's secret key of the measurements".to_owned();
        let service_token = "the service token of the measurements".to_owned();
        let environment = vec![
            ("DATABASE_URL", database.url()?),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", server.address.port().to_string()),
            ("MATRIX_HOMESERVER_URL", homeserver_url.unwrap_or_else(|| NO_HOMESERVER.to_owned())),
            ("MATRIX_SERVER_NAME", SERVER_NAME.to_owned()),
            ("MATRIX_AS_TOKEN", registration.as_token),
            ("MATRIX_HS_TOKEN", registration.hs_token.clone()),
            ("MATRIX_BOT_LOCALPART", BOT.to_owned()),
            ("APPSERVICE_URL", url.clone()),
            ("SECRET_KEY", "the secret key of the measurements".to_owned()),
            ("HUB_SECRET_KEY", hub_key.clone()),
            ("MESSENGER_SERVICE_TOKEN", service_token.clone()),
            ("LOG_LEVEL", "warn".to_owned()),
            // One user of a load sends as much in a second as a person in an hour.
            ("LIMIT_SENDS_PER_USER", "0".to_owned()),
            ("LIMIT_NEW_USERS_PER_TENANT", "0".to_owned()),
        ];
        let programs = Programs(programs.to_owned(), environment);
        programs.set_up(&["setup", "--skip-homeserver"]).await?;
        let router = programs.launch("messenger-router");
        let router = Service::start(router, format!("{url}/livez"), START_TIMEOUT).await?;
        let mut worker = None;
        if with_homeserver {
            // The homeserver pushes the bot's account first. If the router did not run yet, Conduit would push
            // nothing for half a minute.
            programs.set_up(&["setup"]).await?;
            worker = Some(Process::spawn(programs.launch("messenger-worker"))?);
        }
        let system = System {
            server,
            service_token,
            hub_key,
            hs_token: Some(registration.hs_token),
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
        let directory = data_directory()?.join(format!("homeserver-{}", registration.as_token));
        let (name, url, running): (_, _, Box<dyn Any + Send>) = if conduit::binary().is_some() {
            let mut options = conduit::Options::new(directory);
            SERVER_NAME.clone_into(&mut options.server_name);
            let conduit = Conduit::start(options).await?;
            ("Conduit", conduit.url().to_owned(), Box::new(conduit))
        } else {
            let mut options = synapse::Options::new(directory);
            SERVER_NAME.clone_into(&mut options.server_name);
            options.registrations = vec![registration::yaml(registration)];
            let synapse = Synapse::start(options).await?;
            ("Synapse on SQLite", synapse.url().to_owned(), Box::new(synapse))
        };
        let as_token = registration.as_token.clone();
        Ok(Self { name, server: Server::parse(&url)?, as_token, _running: running })
    }
}

impl Programs {
    async fn set_up(&self, arguments: &[&str]) -> Result<()> {
        let setup = Process::spawn(self.launch("messenger-worker").args(arguments))?;
        let status = setup.ended().await;
        ensure!(status.success(), "`messenger-worker setup` failed ({status}):\n{}", setup.last_lines());
        Ok(())
    }

    fn launch(&self, program: &str) -> Launch {
        let launch = Launch::new(program, self.0.join(program)).output(Output::Kept);
        self.1.iter().fold(launch, |launch, (name, value)| launch.env(name, value))
    }
}

/// Connects to a database.
pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.context("connecting to PostgreSQL")?;
    tokio::spawn(connection);
    Ok(client)
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
