//! The composition root: the only place that knows every adapter.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRef;
use messenger_core::{
    Administration, Error, Messenger, Ports, Result,
    port::{AdminPorts, Clock, CopiedReaders, FeedCopyPorts, Relay},
};
use messenger_matrix::{AdminAccount, Appservice, Passwords};
use messenger_store::{PgStore, StoreConfig};
use tokio::task::AbortHandle;

use crate::{
    Config, Program, auth::Auth, limits::Limits, metrics::Metrics, program::Role, readiness::Readiness,
    readings::Readings, shutdown::Shutdown, traces::TraceContexts, vault::KeyVault,
};

/// The localpart of the administrator that is created on a homeserver without one.
const ADMIN: &str = "hubadmin";

/// The state of every handler. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The use cases.
    pub messenger: Messenger,
    /// The keys that verify tokens.
    pub auth: Arc<Auth>,
    /// The limits of this process.
    pub limits: Arc<Limits>,
    /// The configuration.
    pub config: Arc<Config>,
    pub(crate) program: Arc<Program>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) readings: Arc<Readings>,
    pub(crate) shutdown: Shutdown,
    /// The adapters, for their figures; `None` on the ports of tests.
    pub(crate) adapters: Option<Arc<Adapters>>,
    /// The relay of the copy of the event log; `None` if events are read from PostgreSQL, and without a
    /// database.
    pub relay: Option<Arc<dyn Relay>>,
    /// The engines of administration; `None` on ports that do not serve it.
    administration: Option<Administration>,
    /// Whether clients reach each path of this process: the router, and every function on Lambda.
    pub(crate) is_public: bool,
    broker: Arc<RunningBroker>,
}

/// The adapters of PostgreSQL and of the homeserver.
pub(crate) struct Adapters {
    /// `None` in a process without a database.
    pub(crate) store: Option<PgStore>,
    pub(crate) homeserver: Arc<Appservice>,
}

/// The tasks of the broker and of the report of its event streams; they start with the first reader.
#[derive(Default)]
struct RunningBroker(OnceLock<AbortHandle>, OnceLock<AbortHandle>);

/// The system's clock.
struct SystemClock;

impl App {
    /// Attaches PostgreSQL and the homeserver to the ports of a program. Connects to nothing yet.
    ///
    /// # Errors
    /// Returns an error if a connection string is invalid, or missing for a program that needs the database.
    pub fn compose(program: Program, config: Config) -> Result<Self> {
        let Some(database_url) = config.database_url.clone() else {
            return Self::compose_without_database(program, config);
        };
        let store = PgStore::new(&StoreConfig {
            database_url,
            listen_url: config.database_listen_url.clone(),
            pool_size: config.database_pool_size,
            connect_wait: config.database_connect_wait,
        })?;
        let store = Arc::new(if config.feed_copy.is_some() { store.keeping_unrelayed() } else { store });
        let (mut ports, matrix) = ports(store.clone(), &config)?;
        let admin_ports = AdminPorts::new(store.clone());
        let copied = config.feed_copy.as_ref().zip(program.copied_feed);
        let copied = copied.map(|(settings, attach)| {
            attach(settings, FeedCopyPorts::new(store.clone(), ports.clock.clone()))
        });
        let relay = copied.map(|copied| {
            ports.feed = copied.feed;
            copied.relay
        });
        let adapters = Adapters { store: Some((*store).clone()), homeserver: matrix };
        let app = Self::with(&ports, config).of_program(program).administered(&admin_ports);
        Ok(Self { adapters: Some(Arc::new(adapters)), relay, ..app })
    }

    /// Attaches the copy of the event log alone.
    fn compose_without_database(program: Program, config: Config) -> Result<Self> {
        let attach = config.feed_copy.as_ref().zip(program.copied_readers).ok_or_else(|| {
            let needed = "is missing: only events and poll run without it, with EVENT_STORE=dynamodb";
            Error::invalid("DATABASE_URL", needed)
        });
        let (settings, attach) = attach?;
        let (ports, matrix) = ports(Arc::new(PgStore::absent()), &config)?;
        let CopiedReaders { feed, users, memberships, cursors, ephemeral_bus } =
            attach(settings, ports.clock.clone());
        let ports = Ports { feed, users, memberships, cursors, ephemeral_bus, ..ports };
        let adapters = Adapters { store: None, homeserver: matrix };
        let app = Self::with(&ports, config).of_program(program);
        Ok(Self { adapters: Some(Arc::new(adapters)), ..app })
    }

    /// Attaches any ports, such as those of tests.
    pub fn with(ports: &Ports, config: Config) -> Self {
        let program = Program::default();
        Self {
            metrics: Arc::new(Metrics::new(&program)),
            program: Arc::new(program),
            readiness: Arc::default(),
            readings: Arc::new(Readings::new(ports.clock.now())),
            shutdown: Shutdown::default(),
            adapters: None,
            relay: None,
            administration: None,
            is_public: false,
            messenger: Messenger::new(ports, config.settings.clone()),
            auth: Arc::new(Auth::new(&config)),
            limits: Arc::new(Limits::new(config.limits.clone())),
            config: Arc::new(config),
            broker: Arc::default(),
        }
    }

    /// Returns whether events are read from a copy of the event log.
    pub fn reads_copy(&self) -> bool {
        self.relay.is_some() || !self.has_database()
    }

    /// Returns whether the process has a database.
    pub(crate) fn has_database(&self) -> bool {
        self.adapters.as_ref().is_none_or(|adapters| adapters.store.is_some())
    }

    /// Makes it the app of a program.
    #[must_use]
    pub fn of_program(self, program: Program) -> Self {
        let (metrics, is_public) = (Arc::new(Metrics::new(&program)), program.role == Role::Router);
        Self { program: Arc::new(program), metrics, is_public, ..self }
    }

    /// Adds the administration of tenants.
    #[must_use]
    pub fn administered(self, ports: &AdminPorts) -> Self {
        Self { administration: Some(Administration::new(&self.messenger, ports)), ..self }
    }

    /// Returns the engines of administration.
    ///
    /// # Errors
    /// Returns an internal error on ports that do not serve it.
    pub fn administration(&self) -> Result<&Administration> {
        self.administration
            .as_ref()
            .ok_or_else(|| Error::internal("administering", "there are no ports for it"))
    }

    /// Notes that Lambda may freeze the process now or has frozen it until now: its connections can be dead then.
    pub fn suspended(&self) {
        if let Some(store) = self.store() {
            store.suspended();
        }
    }

    /// Returns the adapter of PostgreSQL; `None` without a database, and on the ports of tests.
    pub(crate) fn store(&self) -> Option<&PgStore> {
        self.adapters.as_ref()?.store.as_ref()
    }

    /// Notes that the worker has set everything up, for its `/readyz`.
    pub fn set_up(&self) {
        self.readiness.set_up();
    }

    /// Returns whether the broker was started.
    pub(crate) fn is_broker_started(&self) -> bool {
        self.broker.0.get().is_some()
    }

    /// Returns whether the broker was started and has ended, which only a panic can do.
    pub(crate) fn has_broker_ended(&self) -> bool {
        self.broker.0.get().is_some_and(AbortHandle::is_finished)
    }

    /// Starts the broker and the report of its event streams if they do not run yet, and returns the use cases.
    /// For handlers that wait for events.
    pub fn with_broker(&self) -> &Messenger {
        self.broker.0.get_or_init(|| {
            let broker = self.messenger.broker().clone();
            let administration = self.administration.clone();
            let report = async move {
                if let Some(administration) = administration {
                    administration.statistics().report_streams().await;
                }
            };
            self.broker.1.get_or_init(|| tokio::spawn(report).abort_handle());
            tokio::spawn(async move { broker.run().await }).abort_handle()
        });
        &self.messenger
    }
}

/// Returns the ports on a store and on the homeserver, and the adapter of the latter.
fn ports(store: Arc<PgStore>, config: &Config) -> Result<(Ports, Arc<Appservice>)> {
    let matrix = Arc::new(Appservice::new(homeserver(config))?);
    let admin = administrator(config);
    let passwords = Passwords::new((*matrix).clone(), admin, config.registration_secret.clone());
    let vault = Arc::new(KeyVault::new(&config.secret_key)?);
    let ports = Ports::new(store, matrix.clone(), Arc::new(passwords), vault, Arc::new(SystemClock));
    Ok((Ports { tracing: Arc::new(TraceContexts), ..ports }, matrix))
}

/// Returns the settings of the homeserver's client.
pub fn homeserver(config: &Config) -> messenger_matrix::HomeserverConfig {
    messenger_matrix::HomeserverConfig {
        homeserver_url: config.homeserver_url.clone(),
        server_name: config.settings.server_name.clone(),
        as_token: config.as_token.clone(),
        account_key: config.account_key(),
        bot_localpart: config.settings.bot_localpart.clone(),
        bot_display_name: config.settings.bot_display_name.clone(),
    }
}

/// Returns the account that administers the homeserver for this service.
pub fn administrator(config: &Config) -> AdminAccount {
    AdminAccount { localpart: ADMIN.to_owned(), password: config.homeserver_admin_password() }
}

impl FromRef<App> for Messenger {
    fn from_ref(app: &App) -> Self {
        app.messenger.clone()
    }
}

impl FromRef<App> for Shutdown {
    fn from_ref(app: &App) -> Self {
        app.shutdown.clone()
    }
}

impl Drop for RunningBroker {
    fn drop(&mut self) {
        for task in [&self.0, &self.1].into_iter().filter_map(OnceLock::get) {
            task.abort();
        }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter of the clock")]
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}
