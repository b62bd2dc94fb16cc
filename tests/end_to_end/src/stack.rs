//! The whole service for one test.

use std::{path::PathBuf, time::Duration};

use messenger_devstack::{
    Process, TestDatabase,
    database::template,
    environment::setting,
    free_port,
    process::{Launch, Output},
    service::Service,
};
use messenger_matrix::Registration;
use messenger_store::{migrate, schema};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Client, First, Matrix, Plan, PushProxy, Server};

/// The longest that a router may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// The number of log lines that a failed test prints.
const LOG_LINES: usize = 60;
const SECRET_KEY: &str = "a secret key of the tests";
pub(crate) const HUB_SECRET_KEY: &str = "the Hub's secret key of the tests";
pub(crate) const SERVICE_TOKEN: &str = "the service token of the tests";

/// The whole service: database, homeserver, router and worker. Dropping it ends all of them.
pub struct Stack {
    /// The homeserver, if the plan has one.
    pub homeserver: Option<Server>,
    /// The proxy in front of the service, if the plan has one.
    pub push_proxy: Option<PushProxy>,
    /// The router; it can be killed and started again.
    pub router: Service,
    url: String,
    worker: Option<Process>,
    environment: Vec<(String, String)>,
    server_name: String,
    database_url: String,
    _database: Option<TestDatabase>,
    directory: TempDir,
}

impl Stack {
    /// Starts all parts, as most tests need them.
    pub async fn start() -> Self {
        Self::start_with(Plan::default()).await
    }

    /// Starts the parts of a plan.
    pub async fn start_with(plan: Plan) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (database, database_url) = database(plan.database_url.clone()).await;
        let port = free_port().expect("a port");
        let url = format!("http://127.0.0.1:{port}");
        let server_name = format!("{}.test", &Uuid::new_v4().simple().to_string()[..12]);
        let (as_token, hs_token) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
        let push_proxy = if plan.push_proxy { Some(PushProxy::in_front_of(port).await) } else { None };
        let push_url = push_proxy.as_ref().map_or_else(|| url.clone(), PushProxy::url);
        let registered = Registration {
            id: "messenger".to_owned(),
            url: Some(push_url.clone()),
            as_token: as_token.clone(),
            hs_token: hs_token.clone(),
            bot_localpart: "messenger".to_owned(),
            server_name: server_name.clone(),
        };
        let homeserver =
            if plan.homeserver { Some(Server::start(directory.path(), &registered).await) } else { None };
        let homeserver_url = homeserver.as_ref().map_or("http://127.0.0.1:9", |server| server.url());
        let mut environment = [
            ("DATABASE_URL", database_url.as_str()),
            // Connecting may take long on a busy machine.
            ("DATABASE_CONNECT_TIMEOUT_MS", "20000"),
            ("HOST", "127.0.0.1"),
            ("PORT", &port.to_string()),
            ("MATRIX_HOMESERVER_URL", homeserver_url),
            ("MATRIX_SERVER_NAME", &server_name),
            ("MATRIX_AS_TOKEN", &as_token),
            ("MATRIX_HS_TOKEN", &hs_token),
            ("APPSERVICE_URL", &push_url),
            ("SECRET_KEY", SECRET_KEY),
            ("HUB_SECRET_KEY", HUB_SECRET_KEY),
            ("MESSENGER_SERVICE_TOKEN", SERVICE_TOKEN),
            ("LOG_LEVEL", "info"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        if let Some(secret) = homeserver.as_ref().and_then(Server::registration_secret) {
            environment.push(("MATRIX_REGISTRATION_SECRET".to_owned(), secret.to_owned()));
        }
        environment.extend(plan.environment.clone());
        let early_worker = if plan.first == First::Worker {
            let worker = spawn_worker(&environment, &directory);
            homeserver.as_ref().expect("the plan has a homeserver").wait_until_registered().await;
            Some(worker)
        } else {
            None
        };
        let launch = launch("messenger-router", &environment, &directory);
        let router = Service::start(launch, format!("{url}/livez"), PATIENCE).await.expect("a router");
        let mut stack = Self {
            homeserver,
            push_proxy,
            router,
            url,
            worker: early_worker,
            environment,
            server_name,
            database_url,
            _database: database,
            directory,
        };
        if plan.worker && plan.first == First::Router {
            stack.start_worker();
            if let Some(homeserver) = &stack.homeserver {
                homeserver.wait_until_registered().await;
            }
        }
        stack
    }

    /// Returns a client of the service.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// Returns an ordinary Matrix client, logged in as this user.
    pub async fn matrix(&self, localpart: &str) -> Matrix {
        self.homeserver.as_ref().expect("the plan has a homeserver").client(localpart).await
    }

    /// Returns an ordinary Matrix client whose account the service did not make.
    pub async fn foreign_matrix(&self, localpart: &str) -> Matrix {
        self.homeserver.as_ref().expect("the plan has a homeserver").foreign_client(localpart).await
    }

    /// Returns a Matrix client of the bot, which is in every room.
    pub async fn matrix_bot(&self) -> Matrix {
        self.matrix("messenger").await
    }

    /// Returns the part of Matrix ids after the colon.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// Returns the URL of the service's database.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Starts a worker, which replaces the former one.
    pub fn start_worker(&mut self) {
        self.worker = Some(spawn_worker(&self.environment, &self.directory));
    }

    /// Runs a query with a parameter. Returns the first column of the row as text; `None` if there is no row.
    pub async fn query(&self, sql: &str, parameter: &str) -> Option<String> {
        let (client, connection) =
            tokio_postgres::connect(&self.database_url, tokio_postgres::NoTls).await.expect("the database");
        tokio::spawn(connection);
        client.query_opt(sql, &[&parameter]).await.expect("a response").and_then(|row| row.get(0))
    }

    /// Returns the log of a program.
    pub fn log(&self, program: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(format!("{program}.log"))).unwrap_or_default()
    }

    /// Kills the worker with `SIGKILL`.
    pub fn kill_worker(&mut self) {
        self.worker = None;
    }

    /// Starts another function's binary of the same service on its own port. Returns its address and its
    /// process.
    pub async fn start_function(&self, program: &str) -> (String, Service) {
        let port = free_port().expect("a port");
        let url = format!("http://127.0.0.1:{port}");
        let mut environment = self.environment.clone();
        environment.push(("PORT".to_owned(), port.to_string()));
        let launch = launch(program, &environment, &self.directory);
        let service = Service::start(launch, format!("{url}/livez"), PATIENCE).await.expect("a function");
        (url, service)
    }
}

/// Prints the ends of the logs if the test failed.
impl Drop for Stack {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for program in ["messenger-router", "messenger-worker", "conduit/conduit", "synapse/homeserver"] {
            let log = self.log(program);
            if log.is_empty() {
                continue;
            }
            let lines: Vec<_> = log.lines().collect();
            let first = lines.len().saturating_sub(LOG_LINES);
            eprintln!("--- end of {program}'s log\n{}", lines.get(first..).unwrap_or_default().join("\n"));
        }
    }
}

async fn database(existing: Option<String>) -> (Option<TestDatabase>, String) {
    if let Some(url) = existing {
        migrate(&url).await.expect("a migrated database");
        return (None, url);
    }
    let name = template("messenger", schema(), async |url: &str| Ok(migrate(url).await?)).await;
    let database = TestDatabase::create(Some(&name.expect("a template"))).await.expect("a database");
    let url = database.url().to_owned();
    (Some(database), url)
}

fn spawn_worker(environment: &[(String, String)], directory: &TempDir) -> Process {
    Process::spawn(launch("messenger-worker", environment, directory)).expect("a worker")
}

fn launch(program: &str, environment: &[(String, String)], directory: &TempDir) -> Launch {
    let programs = setting("MESSENGER_BIN_DIR").expect("MESSENGER_BIN_DIR: run `cargo xtask test`");
    let log = directory.path().join(format!("{program}.log"));
    environment
        .iter()
        .fold(Launch::new(program, PathBuf::from(programs).join(program)), |launch, (name, value)| {
            launch.env(name, value)
        })
        .output(Output::File(log))
}
