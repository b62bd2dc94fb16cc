//! The whole service for one test.

use std::net::{IpAddr, Ipv4Addr};

use messenger_devstack::{
    Process, TestDatabase,
    database::template,
    environment::setting,
    free_port,
    messenger::{self, Configuration, Programs},
    process::Output,
    service::Service,
};
use messenger_matrix::Registration;
use messenger_store::{migrate, schema};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    Client, Deployment, First, Matrix, Plan, PushProxy, Server,
    client::{hub_secret_key, secret_key, service_token},
    event_store,
    front::Front,
};

/// The number of log lines that a failed test prints.
const LOG_LINES: usize = 60;
/// The fault of a test that runs on a deployment and must not.
const OUT_OF_REACH: &str = "processes of this test: on a deployment, skip it by is_skipped_on_deployment";

/// The whole service: database, homeserver, router and worker. Dropping it ends all of them, except on a
/// deployment.
pub struct Stack {
    /// The homeserver, if the plan has one.
    pub homeserver: Option<Server>,
    /// The proxy in front of the service, if the plan has one.
    pub push_proxy: Option<PushProxy>,
    url: String,
    server_name: String,
    database_url: String,
    processes: Option<Processes>,
    /// The deployment; `None` for processes of this test.
    pub(crate) deployment: Option<Deployment>,
    directory: TempDir,
}

/// The processes of a service that the test started.
struct Processes {
    front: Front,
    worker: Option<Process>,
    worker_port: u16,
    programs: Programs,
    _database: Option<TestDatabase>,
}

impl Stack {
    /// Starts all parts, as most tests need them.
    pub async fn start() -> Self {
        Self::start_with(Plan::default()).await
    }

    /// Starts the parts of a plan.
    pub async fn start_with(plan: Plan) -> Self {
        match Deployment::start(&plan).await {
            Some(deployment) => Self::on(deployment, &plan),
            None => Self::start_processes(plan).await,
        }
    }

    fn on(deployment: Deployment, plan: &Plan) -> Self {
        Self {
            homeserver: plan.homeserver.then(|| Server::of(&deployment)),
            push_proxy: None,
            url: Deployment::url(),
            server_name: deployment.server_name().to_owned(),
            database_url: deployment.database_url().to_owned(),
            processes: None,
            deployment: Some(deployment),
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    async fn start_processes(plan: Plan) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (database, database_url) = database(plan.database_url.clone()).await;
        let port = free_port().expect("a port");
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let url = messenger::url(host, port);
        let server_name = format!("{}.test", &Uuid::new_v4().simple().to_string()[..12]);
        let push_proxy = if plan.push_proxy { Some(PushProxy::in_front_of(port).await) } else { None };
        let push_url = push_proxy.as_ref().map_or(url, PushProxy::url);
        let registered = Registration {
            id: "messenger".to_owned(),
            url: Some(push_url.clone()),
            as_token: Uuid::new_v4().to_string(),
            hs_token: Uuid::new_v4().to_string(),
            bot_localpart: messenger::BOT.to_owned(),
            server_name: server_name.clone(),
        };
        let homeserver =
            if plan.homeserver { Some(Server::start(directory.path(), &registered).await) } else { None };
        // Connecting may take long on a busy machine.
        let patient = ("DATABASE_CONNECT_TIMEOUT_MS".to_owned(), "20000".to_owned());
        let configuration = Configuration {
            host,
            port,
            database_url,
            homeserver_url: homeserver.as_ref().map(|server| server.url().to_owned()),
            server_name,
            as_token: registered.as_token,
            hs_token: registered.hs_token,
            appservice_url: push_url,
            registration_secret: homeserver
                .as_ref()
                .and_then(|server| server.registration_secret())
                .map(str::to_owned),
            secret_key: secret_key().to_owned(),
            hub_secret_key: hub_secret_key().to_owned(),
            service_token: service_token().to_owned(),
            log_level: "info".to_owned(),
            further: [vec![patient], event_store::of_plan(&plan), plan.environment.clone()].concat(),
        };
        let programs = programs(configuration, &directory);
        let worker_port = free_port().expect("a port");
        let early_worker = if plan.first == First::Worker {
            let worker = programs.start_worker_on(worker_port).expect("a worker");
            homeserver.as_ref().expect("the plan has a homeserver").wait_until_registered().await;
            Some(worker)
        } else {
            None
        };
        let front = Front::start(&programs).await.expect("a service");
        let configuration = programs.configuration();
        let mut stack = Self {
            homeserver,
            push_proxy,
            url: configuration.url(),
            server_name: configuration.server_name.clone(),
            database_url: configuration.database_url.clone(),
            processes: Some(Processes {
                front,
                worker: early_worker,
                worker_port,
                programs,
                _database: database,
            }),
            deployment: None,
            directory,
        };
        if plan.worker && plan.first == First::Router {
            stack.start_worker();
            if let Some(homeserver) = &stack.homeserver {
                homeserver.wait_until_registered().await;
            }
        }
        if !event_store::of_plan(&plan).is_empty() {
            event_store::until_copied(&stack.client()).await;
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

    /// Returns the router, which can be killed and started again; on Lambda the emulator, whose functions end with
    /// it.
    pub fn router(&mut self) -> &mut Service {
        self.own_mut().front.gateway()
    }

    /// Returns a client of the worker's own port.
    pub fn worker_client(&self) -> Client {
        let own = self.own();
        Client::new(&messenger::url(own.programs.configuration().host, own.worker_port))
    }

    /// Runs `messenger-worker probe`. Returns its exit code and its output.
    pub async fn probe_worker(&self) -> (Option<i32>, String) {
        let own = self.own();
        own.programs.probe_worker_on(own.worker_port).await.expect("a probe")
    }

    /// Starts a worker, which replaces the former one.
    pub fn start_worker(&mut self) {
        let own = self.own_mut();
        own.worker = Some(own.programs.start_worker_on(own.worker_port).expect("a worker"));
    }

    /// Runs a query with a parameter. Returns the first column of the row as text; `None` if there is no row.
    pub async fn query(&self, sql: &str, parameter: &str) -> Option<String> {
        let client = messenger_postgres::connect(self.database_url()).await.expect("the database");
        client.query_opt(sql, &[&parameter]).await.expect("a response").and_then(|row| row.get(0))
    }

    /// Returns the log of a program.
    pub fn log(&self, program: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(format!("{program}.log"))).unwrap_or_default()
    }

    /// Kills the worker with `SIGKILL`.
    pub fn kill_worker(&mut self) {
        self.own_mut().worker = None;
    }

    /// Starts another function's binary of the same service on its own port. Returns its address and its
    /// process.
    pub async fn start_function(&self, program: &str) -> (String, Service) {
        self.own().programs.start_function(program).await.expect("a function")
    }

    /// Starts another function's binary without a database. Returns its address and its process.
    pub async fn start_without_database(&self, program: &str) -> (String, Service) {
        let started = self.own().programs.start_function_with(program, &[("DATABASE_URL", "")]).await;
        started.expect("a function")
    }

    /// Starts another copy of a function, which takes requests at an address of its own until the end of the
    /// test. On a deployment the router sends requests to it as well.
    pub async fn start_copy(&self, function: &str) -> (String, Option<Service>) {
        if let Some(deployment) = &self.deployment {
            deployment.control().scale(function, 2).await;
            return (deployment.control().newest(function).await, None);
        }
        let (url, service) = self.start_function(&format!("messenger-{function}")).await;
        (url, Some(service))
    }

    fn own(&self) -> &Processes {
        self.processes.as_ref().expect(OUT_OF_REACH)
    }

    fn own_mut(&mut self) -> &mut Processes {
        self.processes.as_mut().expect(OUT_OF_REACH)
    }
}

/// Prints the ends of the logs if the test failed.
impl Drop for Stack {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let fronts = ["messenger-router", "emulator"].into_iter();
        for program in fronts.chain(["messenger-worker", "conduit/conduit", "synapse/homeserver"]) {
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

/// Returns the programs, each of which logs to a file of its name.
fn programs(configuration: Configuration, directory: &TempDir) -> Programs {
    let programs = setting("MESSENGER_BIN_DIR").expect("MESSENGER_BIN_DIR: run `cargo xtask test`");
    let logs = directory.path().to_owned();
    Programs::new(programs, configuration, move |program| Output::File(logs.join(format!("{program}.log"))))
}
