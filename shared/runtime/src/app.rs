//! The composition root: the only place that knows every adapter.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRef;
use messenger_core::{Messenger, Ports, Result, port::Clock};
use messenger_matrix::{AdminAccount, Appservice, Passwords};
use messenger_store::{PgStore, StoreConfig};
use tokio::task::AbortHandle;

use crate::{Config, auth::Auth, limits::Limits, vault::KeyVault};

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
    broker: Arc<RunningBroker>,
}

/// The task of the broker; it starts with the first reader.
#[derive(Default)]
struct RunningBroker(OnceLock<AbortHandle>);

/// The system's clock.
struct SystemClock;

impl App {
    /// Attaches PostgreSQL and the homeserver to the ports. Connects to nothing yet.
    pub fn compose(config: Config) -> Result<Self> {
        let store = PgStore::new(&StoreConfig {
            database_url: config.database_url.clone(),
            listen_url: config.database_listen_url.clone(),
            pool_size: config.database_pool_size,
            connect_wait: config.database_connect_wait,
        })?;
        let matrix = Arc::new(Appservice::new(homeserver(&config))?);
        let admin = administrator(&config);
        let passwords = Passwords::new((*matrix).clone(), admin, config.registration_secret.clone());
        let vault = Arc::new(KeyVault::new(&config.secret_key)?);
        let ports = Ports::new(Arc::new(store), matrix, Arc::new(passwords), vault, Arc::new(SystemClock));
        Ok(Self::with(&ports, config))
    }

    /// Attaches any ports, such as those of tests.
    pub fn with(ports: &Ports, config: Config) -> Self {
        Self {
            messenger: Messenger::new(ports, config.settings.clone()),
            auth: Arc::new(Auth::new(&config)),
            limits: Arc::new(Limits::new(config.limits.clone())),
            config: Arc::new(config),
            broker: Arc::default(),
        }
    }

    /// Starts the broker if it does not run yet, and returns the use cases. For handlers that wait for
    /// events.
    pub fn with_broker(&self) -> &Messenger {
        self.broker.0.get_or_init(|| {
            let broker = self.messenger.broker().clone();
            tokio::spawn(async move { broker.run().await }).abort_handle()
        });
        &self.messenger
    }
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

impl Drop for RunningBroker {
    fn drop(&mut self) {
        if let Some(task) = self.0.get() {
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
