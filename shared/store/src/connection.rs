//! The way of a process to its database: address, TLS, and the settings of each session.

use std::time::Duration;

use deadpool_postgres::Connect;
use futures::{FutureExt as _, future::BoxFuture};
use messenger_core::{Error, Result};
use messenger_postgres::{ConnectionString, InvalidConnectionString, MakeRustlsConnect};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Connection, Socket, tls::MakeTlsConnect};

/// Default time limit for getting a connection. It is shorter than that of the health check, which is one
/// second.
pub(crate) const CONNECT_WAIT: Duration = Duration::from_millis(700);

/// Settings of PostgreSQL, by name.
pub(crate) type Settings = &'static [(&'static str, &'static str)];

/// The settings of sessions that serve callers, with times in milliseconds.
///
/// Each statement is planned once for each connection, since planning a small statement costs more than the
/// call. No plan scans a whole table if there is another way, so that it stays good when the tables grow.
/// Without `jit=off` the estimated cost of the remaining scans would make PostgreSQL compile their
/// statements.
pub(crate) const SERVING: Settings = &[
    ("statement_timeout", "4500"),
    ("lock_timeout", "4000"),
    ("idle_in_transaction_session_timeout", "5000"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];
/// The settings of a migration, which has no time limit.
pub(crate) const MIGRATING: Settings = &[("statement_timeout", "0"), ("lock_timeout", "0")];

/// A source of connections to one database. A clone is cheap.
#[derive(Clone)]
pub(crate) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    /// The statements that begin a session. They are no startup parameter (`options`), since poolers refuse
    /// that.
    preamble: String,
}

impl Connector {
    /// Reads a connection string. `variable` names it in an error.
    pub(crate) fn new(variable: &str, url: &str, settings: Settings, wait: Duration) -> Result<Self> {
        let refused = |error: InvalidConnectionString| Error::invalid(variable, error.to_string());
        let address = ConnectionString::parse(url).map_err(refused)?;
        let mut config = address.config().clone();
        config.connect_timeout(wait).keepalives_idle(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("messenger");
        }
        let preamble = preamble(settings, config.get_options().unwrap_or_default());
        Ok(Self { config, tls: address.tls().map_err(refused)?, preamble })
    }

    /// Returns the configuration for the pool.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Opens a connection, and begins its session. The caller drives the connection from here on. A dropped
    /// future closes it.
    pub(crate) async fn open(&self) -> Result<(Client, PgConnection), tokio_postgres::Error> {
        let (client, mut connection) = self.config.connect(self.tls.clone()).await?;
        tokio::select! {
            begun = client.batch_execute(&self.preamble) => begun?,
            Err(error) = &mut connection => return Err(error),
        }
        Ok((client, connection))
    }
}

/// The future that drives a connection.
pub(crate) type PgConnection = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

impl Connect for Connector {
    fn connect(
        &self,
        _config: &Config,
    ) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), tokio_postgres::Error>> {
        async move {
            let (client, connection) = self.open().await?;
            let driver = tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "database connection ended");
                }
            });
            Ok((client, driver))
        }
        .boxed()
    }
}

/// Returns the statements that make these settings, but for those that the connection string makes
/// (`options=-c name=value`).
fn preamble(settings: Settings, options: &str) -> String {
    let words = options.split_whitespace().map(|word| word.trim_start_matches("-c").trim_start_matches("--"));
    let own: Vec<_> =
        words.filter_map(|word| word.split_once('=')).map(|(name, _)| name.replace('-', "_")).collect();
    let ours = settings.iter().filter(|(name, _)| !own.iter().any(|own| own.eq_ignore_ascii_case(name)));
    let statements: Vec<_> = ours.map(|(name, value)| format!("set {name} = {value};")).collect();
    statements.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_the_connection_string_win() {
        const SETTINGS: Settings = &[("lock_timeout", "4000"), ("jit", "off")];
        for (options, statements) in [
            ("", "set lock_timeout = 4000;set jit = off;"),
            ("-c deadlock_timeout=1s", "set lock_timeout = 4000;set jit = off;"),
            ("-c lock_timeout=1s", "set jit = off;"),
            ("-csearch_path=x --lock-timeout=1s", "set jit = off;"),
            ("-c JIT=on -c lock_timeout=1s", ""),
        ] {
            assert_eq!(preamble(SETTINGS, options), statements, "{options}");
        }
    }
}
