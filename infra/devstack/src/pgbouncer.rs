//! `PgBouncer` in front of a PostgreSQL, from the Debian package.
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::database;
use crate::debian::{self, Program};
use crate::owner::Owner;
use crate::postgres::{Postgres, USER};
use crate::process::{Launch, Process, traced};
use crate::service::on_free_port;

const PROGRAM: Program = Program { name: "pgbouncer", package: "pgbouncer" };
const CONFIGURATION: &str = "pgbouncer.ini";
const USERS: &str = "users.txt";

/// The time for which a client keeps a connection of the server (`pool_mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// Until the client disconnects.
    Session,
    /// Until the end of a transaction. `PgBouncer` 1.21 or newer is needed, which has prepared statements.
    Transaction,
}

/// A running `PgBouncer`. Dropping it kills the process.
#[derive(Debug)]
pub struct PgBouncer {
    _process: Process,
    port: u16,
    password: String,
    _directory: TempDir,
}

impl PgBouncer {
    /// Installs `PgBouncer` if it is missing, starts it, and waits until it answers. It reaches the server as
    /// [`Postgres::url`] states, and its clients reach it without TLS.
    pub async fn start(postgres: &Postgres, mode: PoolMode) -> Result<Self> {
        debian::ensure(&[PROGRAM], &traced()).await?;
        let directory = tempfile::Builder::new().prefix("messenger-pgbouncer-").tempdir()?;
        // It refuses to run as root.
        let owner = Owner::for_directory(directory.path());
        let (process, port) = on_free_port(0, async |port| {
            write(directory.path(), CONFIGURATION, &configuration(postgres, port, mode), owner)?;
            write(directory.path(), USERS, &format!("\"{USER}\" \"{}\"\n", postgres.password()), owner)?;
            let launch = Launch::new("PgBouncer", PROGRAM.path().context("no pgbouncer")?)
                .arg(CONFIGURATION)
                .directory(directory.path())
                .owner(owner);
            let process = Process::spawn(launch)?;
            database::until_it_answers(&url(port, postgres.password(), "postgres"), &process).await?;
            Ok((process, port))
        })
        .await?;
        let password = postgres.password().to_owned();
        Ok(Self { _process: process, port, password, _directory: directory })
    }

    /// Returns the superuser's URL of a database, through `PgBouncer`.
    pub fn url(&self, database: &str) -> String {
        url(self.port, &self.password, database)
    }
}

fn url(port: u16, password: &str, database: &str) -> String {
    format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}")
}

fn configuration(postgres: &Postgres, port: u16, mode: PoolMode) -> String {
    let tls = postgres.certificates().map_or_else(String::new, |certificates| {
        let authority = certificates.authority();
        format!("server_tls_sslmode = verify-full\nserver_tls_ca_file = {}\n", authority.display())
    });
    let mode = match mode {
        PoolMode::Session => "pool_mode = session\ndefault_pool_size = 50\n",
        // Fewer connections than clients.
        PoolMode::Transaction => {
            "pool_mode = transaction\ndefault_pool_size = 3\nmax_prepared_statements = 100\n"
        }
    };
    format!(
        "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {USERS}\n{mode}{tls}",
        postgres.port()
    )
}

fn write(directory: &Path, name: &str, text: &str, owner: Option<Owner>) -> Result<()> {
    let file = directory.join(name);
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    owner.map_or(Ok(()), |owner| owner.chown(&file).and_then(|()| owner.chown(directory)))
}
