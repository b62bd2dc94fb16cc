//! `cargo xtask test`: all tests, on servers that are started for them.
mod containers;
mod count;
mod python;
mod rust;
mod sse_clients;
mod web;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use messenger_devstack::postgres::{self, Options, Postgres};
use messenger_devstack::process::Launch;
use messenger_devstack::{Home, conduit, database, synapse};

use crate::interrupt::Interrupt;
use crate::step::Step;
use crate::terminal::Style;

pub(crate) use count::Count;
pub(crate) use rust::run_and_count;

/// The group without which no other makes sense.
const BUILD: &str = "build";
/// The exit code of a program that was interrupted.
const INTERRUPTED: u8 = 130;

#[derive(clap::Args, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Arguments {
    /// Only Rust tests whose name contains one of these
    filter: Vec<String>,
    /// Only the Rust tests
    #[arg(long, conflicts_with_all = ["python_only", "sse_only"])]
    rust_only: bool,
    /// Only the checks of the Python client
    #[arg(long, conflicts_with = "sse_only")]
    python_only: bool,
    /// The tests of the whole service and of the Matrix adapter on the Conduit that `CONDUIT_BIN` names
    #[arg(long, conflicts_with_all = ["rust_only", "python_only", "sse_only"])]
    conduit: bool,
    /// Only the checks and journeys of the web messenger
    #[arg(long, conflicts_with_all = ["rust_only", "python_only", "sse_only", "conduit"])]
    web_only: bool,
    /// Only the tests of streams with the libraries of others, browsers and proxies
    #[arg(long)]
    sse_only: bool,
    /// Also the proof of the containers, which is `cargo xtask compose test` alone
    #[arg(long)]
    containers: bool,
    /// All connections to the database with TLS and `verify-full`: the servers accept no others
    #[arg(long)]
    database_tls: bool,
    /// Further arguments of the test programs, for example --nocapture
    #[arg(last = true)]
    further: Vec<String>,
}

/// The servers and programs that the tests use.
struct Servers {
    postgres: Postgres,
    programs: PathBuf,
    /// The Conduit that the tests use; `None` for Synapse.
    conduit: Option<PathBuf>,
}

/// The result of one group of tests.
pub(super) struct Outcome {
    name: &'static str,
    passed: bool,
    count: Count,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut interrupt = Interrupt::watch()?;
    let mut outcomes = tokio::select! {
        result = run_on_servers(&arguments) => result?,
        () = interrupt.received() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let is_built = outcomes.iter().all(|outcome| outcome.name != BUILD || outcome.passed);
    if is_built && arguments.is_all() && arguments.containers {
        let programs = crate::cargo::programs(false).await?;
        outcomes.extend(containers::check(&programs, interrupt.received()).await);
    }
    Ok(summarize(&outcomes))
}

async fn run_on_servers(arguments: &Arguments) -> Result<Vec<Outcome>> {
    if arguments.web_only {
        return web::check().await;
    }
    let mut servers = Servers::start(arguments).await?;
    let mut outcomes = Vec::new();
    let built = rust::build().await?;
    outcomes.push(Outcome { name: BUILD, passed: built, count: Count::default() });
    if built && arguments.conduit {
        outcomes.extend(rust::test_on_conduit(&servers, arguments).await?);
    } else if built && !arguments.python_only && !arguments.sse_only {
        outcomes.push(rust::test(&servers, arguments).await?);
    }
    let is_all = built && !arguments.rust_only && !arguments.conduit && arguments.filter.is_empty();
    if is_all && !arguments.sse_only && python::client().exists() {
        outcomes.extend(python::check(&servers).await?);
    }
    if is_all && !arguments.python_only {
        outcomes.extend(sse_clients::check(&servers).await?);
    }
    servers.postgres.stop().await;
    if is_all && !arguments.python_only && !arguments.sse_only {
        outcomes.extend(web::check().await?);
    }
    Ok(outcomes)
}

impl Arguments {
    /// Returns whether all groups of tests are asked for.
    fn is_all(&self) -> bool {
        let is_one = self.rust_only || self.python_only || self.sse_only || self.conduit || self.web_only;
        !is_one && self.filter.is_empty()
    }
}

impl Servers {
    async fn start(arguments: &Arguments) -> Result<Self> {
        let conduit =
            arguments.conduit.then(|| conduit::binary().context("set CONDUIT_BIN to a conduit program"));
        let conduit = conduit.transpose()?;
        let step = Step::begin("Synapse");
        synapse::install(&Home::default(), &step.progress()).await?;
        step.done(synapse::VERSION);
        let step = Step::begin("PostgreSQL");
        let options = Options::temporary();
        let options = if arguments.database_tls { options.with_tls() } else { options };
        let postgres = Postgres::start_with(options, &step.progress()).await?;
        let tls = if postgres.certificates().is_some() { ", with TLS only" } else { "" };
        step.done(&format!("{} on port {}{tls}", postgres.version(), postgres.port()));
        Ok(Self { postgres, programs: crate::cargo::programs(false).await?, conduit })
    }

    /// Adds the addresses of the servers to the environment of a command.
    fn configure(&self, launch: Launch) -> Launch {
        launch
            .env(database::CLUSTER, self.postgres.url("postgres"))
            .env(postgres::TLS, if self.postgres.certificates().is_some() { "on" } else { "" })
            .env("MESSENGER_BIN_DIR", &self.programs)
            .env(conduit::BINARY, self.conduit.as_deref().unwrap_or_else(|| Path::new("")))
    }
}

/// Prints the results. CI systems read the last line.
fn summarize(outcomes: &[Outcome]) -> ExitCode {
    let style = Style::of_stdout();
    println!("\n{}", style.bold("Summary"));
    for Outcome { name, passed, count } in outcomes {
        let verdict = if *passed { style.green("ok    ") } else { style.red("FAILED") };
        println!("  {verdict} {name} {}", style.dim(&count.summary()));
    }
    let total = outcomes.iter().fold(Count::default(), |total, outcome| total + outcome.count);
    let failed = outcomes.iter().any(|outcome| !outcome.passed);
    println!("total: {} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
