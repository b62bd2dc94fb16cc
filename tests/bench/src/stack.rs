//! The service as it is measured: its release binaries on a durable PostgreSQL and, where needed, a real homeserver.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_devstack::postgres::{self, Postgres};
use messenger_devstack::process::{Launch, Output, Process};
use messenger_devstack::service::Service;
use messenger_devstack::{Conduit, Home, Synapse, conduit, free_port, synapse};
use messenger_matrix::{Registration, registration};
use uuid::Uuid;

use crate::http::Server;

/// How long a program may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
pub(crate) const SERVER_NAME: &str = "bench.local";
pub(crate) const BOT: &str = "messenger";
pub(crate) const HUB_KEY: &str = "the Hub's secret key of the measurements";
pub(crate) const SERVICE_TOKEN: &str = "the service token of the measurements";
const ROUTER: &str = "messenger-router";
/// Where nobody answers: what is measured without a homeserver does without.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A homeserver for a measurement.
enum Homeserver {
    Synapse(Synapse),
    /// Where `CONDUIT_BIN` names one.
    Conduit(Conduit),
}

/// Everything that was started for one measurement; it ends with it, and so do its data.
pub(crate) struct Stack {
    pub(crate) server: Server,
    router: Service,
    worker: Option<Process>,
    homeserver: Option<Homeserver>,
    database: Database,
    as_token: String,
    hs_token: String,
    programs: PathBuf,
    environment: Vec<(&'static str, String)>,
}

/// A PostgreSQL of our own, with data that are removed in the end.
pub(crate) struct Database {
    postgres: Option<Postgres>,
    directory: PathBuf,
    url: String,
}

impl Database {
    /// A durable one: a commit is on the disk when it is answered.
    pub(crate) async fn start() -> Result<Self> {
        let directory = place()?.join(format!("postgres-{}", Uuid::new_v4().simple()));
        let postgres = Postgres::start(postgres::Options::durable(&directory)).await?;
        postgres.ensure_database("messenger").await?;
        let url = postgres.url("messenger");
        Ok(Self { postgres: Some(postgres), directory, url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The number of its first process.
    pub(crate) fn pid(&self) -> Option<i32> {
        Some(self.postgres.as_ref()?.process()?.id())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.postgres.take());
        // What cannot be removed is removed by the next run.
        let _ = postgres::erase(&self.directory);
    }
}

impl Stack {
    /// Starts it; with a homeserver, a worker too.
    pub(crate) async fn start(programs: &Path, with_homeserver: bool) -> Result<Self> {
        let database = Database::start().await?;
        let port = free_port()?;
        let server = Server::local(port);
        let url = format!("http://{}", server.host);
        let (as_token, hs_token) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let homeserver = if with_homeserver {
            Some(Homeserver::start(&registered(&url, &as_token, &hs_token)).await?)
        } else {
            None
        };
        let environment = vec![
            ("DATABASE_URL", database.url().to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", port.to_string()),
            ("MATRIX_HOMESERVER_URL", homeserver.as_ref().map_or(NOWHERE, Homeserver::url).to_owned()),
            ("MATRIX_SERVER_NAME", SERVER_NAME.to_owned()),
            ("MATRIX_AS_TOKEN", as_token.clone()),
            ("MATRIX_HS_TOKEN", hs_token.clone()),
            ("MATRIX_BOT_LOCALPART", BOT.to_owned()),
            ("APPSERVICE_URL", url.clone()),
            ("SECRET_KEY", "the secret key of the measurements".to_owned()),
            ("HUB_SECRET_KEY", HUB_KEY.to_owned()),
            ("MESSENGER_SERVICE_TOKEN", SERVICE_TOKEN.to_owned()),
            ("LOG_LEVEL", "warn".to_owned()),
            // One user does in a second what people do in an hour.
            ("LIMIT_SENDS_PER_USER", "0".to_owned()),
            ("LIMIT_NEW_USERS_PER_TENANT", "0".to_owned()),
        ];
        setup(programs, &environment, false).await?;
        let router = launch(programs, ROUTER, &environment);
        let router = Service::start(router, format!("{url}/livez"), PATIENCE).await?;
        if with_homeserver {
            // The bot's account is the first that the homeserver pushes. Were the router not there by then, Conduit would
            // push nothing for half a minute.
            setup(programs, &environment, true).await?;
        }
        let programs = programs.to_owned();
        let worker = None;
        let mut stack =
            Self { server, router, worker, homeserver, database, as_token, hs_token, programs, environment };
        if with_homeserver {
            stack.worker = Some(Process::spawn(stack.launch("messenger-worker"))?);
        }
        Ok(stack)
    }

    /// The router's number.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.router.process().map(Process::id)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// The homeserver, and the token by which the service is an Application Service there.
    pub(crate) fn homeserver(&self) -> Result<(Server, String)> {
        let homeserver = self.homeserver.as_ref().context("started without a homeserver")?;
        Ok((Server::of(homeserver.url())?, self.as_token.clone()))
    }

    /// The token by which a homeserver shows that it is ours.
    pub(crate) fn hs_token(&self) -> &str {
        &self.hs_token
    }

    /// What the homeserver is.
    pub(crate) fn homeserver_name(&self) -> &'static str {
        match self.homeserver {
            Some(Homeserver::Conduit(_)) => "Conduit",
            _ => "Synapse on SQLite",
        }
    }

    /// Another program of the service, with the same configuration.
    pub(crate) fn launch(&self, program: &str) -> Launch {
        launch(&self.programs, program, &self.environment)
    }

    /// Stops the router, does something, and starts it again: what it kept in memory is gone.
    pub(crate) async fn meanwhile<T>(&mut self, act: impl AsyncFnOnce(&Database) -> Result<T>) -> Result<T> {
        self.router.stop().await;
        let result = act(&self.database).await;
        self.router.start_again().await?;
        result
    }
}

impl Homeserver {
    async fn start(registration: &Registration) -> Result<Self> {
        let directory = place()?;
        if conduit::binary().is_some() {
            let mut options =
                conduit::Options::new(directory.join(format!("conduit-{}", registration.as_token)));
            SERVER_NAME.clone_into(&mut options.server_name);
            return Ok(Self::Conduit(Conduit::start(options).await?));
        }
        let mut options = synapse::Options::new(directory.join(format!("synapse-{}", registration.as_token)));
        SERVER_NAME.clone_into(&mut options.server_name);
        "WARNING".clone_into(&mut options.log_level);
        options.registrations = vec![registration::yaml(registration)];
        Ok(Self::Synapse(Synapse::start(options).await?))
    }

    fn url(&self) -> &str {
        match self {
            Self::Synapse(synapse) => synapse.url(),
            Self::Conduit(conduit) => conduit.url(),
        }
    }
}

fn registered(url: &str, as_token: &str, hs_token: &str) -> Registration {
    Registration {
        id: "messenger".to_owned(),
        url: Some(url.to_owned()),
        as_token: as_token.to_owned(),
        hs_token: hs_token.to_owned(),
        bot_localpart: BOT.to_owned(),
        server_name: SERVER_NAME.to_owned(),
    }
}

/// The database's tables, and the bot's account.
async fn setup(programs: &Path, environment: &[(&'static str, String)], with_homeserver: bool) -> Result<()> {
    let mut setup = launch(programs, "messenger-worker", environment).arg("setup").output(Output::Kept);
    if !with_homeserver {
        setup = setup.arg("--skip-homeserver");
    }
    let setup = Process::spawn(setup)?;
    let status = setup.ended().await;
    ensure!(status.success(), "`messenger-worker setup` failed ({status}):\n{}", setup.last_lines());
    Ok(())
}

fn launch(programs: &Path, program: &str, environment: &[(&'static str, String)]) -> Launch {
    let launch = Launch::new(program, programs.join(program)).output(Output::Kept);
    environment.iter().fold(launch, |launch, (name, value)| launch.env(name, value))
}

/// Where this process keeps data; what processes that are gone left there is removed.
pub(crate) fn place() -> Result<PathBuf> {
    let all = Home::default().path("bench");
    for entry in fs::read_dir(&all).into_iter().flatten().flatten() {
        let owner = entry.file_name();
        if !Path::new("/proc").join(&owner).exists() {
            // Clusters first: they may have been moved elsewhere, or their servers may still run.
            for cluster in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
                if cluster.file_name().to_string_lossy().starts_with("postgres") {
                    let _ = postgres::erase(&cluster.path());
                }
            }
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let ours = all.join(std::process::id().to_string());
    fs::create_dir_all(&ours).with_context(|| format!("creating {}", ours.display()))?;
    Ok(ours)
}
