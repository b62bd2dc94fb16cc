//! `cargo xtask test`: all tests, on servers that are started for them.
mod containers;
mod python;
mod rust;
mod sse_clients;
mod web;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use messenger_devstack::postgres::{self, Options, Postgres};
use messenger_devstack::process::Launch;
use messenger_devstack::{CargoLambda, Dynoxide, Home, conduit, database, dynoxide, synapse};
use tokio::time::Instant;

use crate::count::Count;
use crate::interrupt::{INTERRUPTED, Interrupt};
use crate::step::Step;
use crate::terminal::Style;

use containers::Containers;

/// The group without which no other makes sense.
const BUILD: &str = "build";

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
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_missing_value = "required")]
    containers: Option<Containers>,
    /// With --containers, the time from the start of this command until all containers are deleted again; their
    /// tests that no time is left for are skipped with `if-possible`, else have failed
    #[arg(long, value_name = "SECONDS", requires = "containers")]
    containers_within: Option<u64>,
    /// Only the tests of the whole service, in this shape: the router with all functions in its process (that of
    /// all tests without this option), a process for each function, or functions on the emulator of Lambda
    #[arg(long, conflicts_with_all = ["rust_only", "python_only", "sse_only", "conduit", "containers"])]
    shape: Option<Shape>,
    /// With --shape, the directory of built programs [default: that of `cargo build`, which runs first]
    #[arg(long, value_name = "DIR", requires = "shape")]
    programs: Option<PathBuf>,
    /// All connections to the database with TLS and `verify-full`: the servers accept no others
    #[arg(long)]
    database_tls: bool,
    /// The store from which streams and polls read events in those tests of the whole service that have a worker
    #[arg(long, value_parser = ["postgres", "dynamodb"], default_value = "postgres")]
    event_store: String,
    /// Further arguments of the test programs, for example --nocapture
    #[arg(last = true)]
    further: Vec<String>,
}

/// The way of a request to its function, in the tests of the whole service.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Router,
    Process,
    Lambda,
}

/// The servers and programs that the tests use.
struct Servers {
    postgres: Postgres,
    /// `None` if only tests run that do not use it.
    dynoxide: Option<Dynoxide>,
    programs: PathBuf,
    /// The Conduit that the tests use; `None` for Synapse.
    conduit: Option<PathBuf>,
    /// The event store of the services that tests start.
    event_store: String,
}

/// The result of one group of tests.
pub(super) struct Outcome {
    name: &'static str,
    passed: bool,
    count: Count,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let within = arguments.containers_within.map(Duration::from_secs);
    let end = within.map(|within| Instant::now() + within);
    let mut interrupt = Interrupt::watch()?;
    let mut outcomes = tokio::select! {
        result = run_on_servers(&arguments) => result?,
        () = interrupt.received() => return Ok(ExitCode::from(INTERRUPTED)),
    };
    let is_built = outcomes.iter().all(|outcome| outcome.name != BUILD || outcome.passed);
    if let Some(containers) = arguments.containers
        && is_built
        && arguments.is_all()
    {
        let programs = crate::cargo::programs(false).await?;
        outcomes.push(containers::check(&programs, containers, end, interrupt.received()).await?);
    }
    Ok(summarize(&outcomes))
}

async fn run_on_servers(arguments: &Arguments) -> Result<Vec<Outcome>> {
    if arguments.web_only {
        return web::check_with_journeys().await;
    }
    let mut servers = Servers::start(arguments).await?;
    let mut outcomes = Vec::new();
    let built = arguments.programs.is_some() || rust::build().await?;
    outcomes.push(Outcome { name: BUILD, passed: built, count: Count::default() });
    if built && arguments.conduit {
        outcomes.extend(rust::test_on_conduit(&servers, arguments).await?);
    } else if let (true, Some(shape)) = (built, arguments.shape) {
        outcomes.push(rust::test_in_shape(&servers, arguments, shape).await?);
    } else if built && !arguments.python_only && !arguments.sse_only {
        outcomes.push(rust::test(&servers, arguments).await?);
    }
    let is_all =
        built && !arguments.rust_only && !arguments.is_of_whole_service() && arguments.filter.is_empty();
    if is_all && !arguments.sse_only && python::client().exists() {
        outcomes.extend(python::check(&servers).await?);
    }
    if is_all && !arguments.python_only {
        outcomes.extend(sse_clients::check(&servers).await?);
    }
    servers.postgres.stop().await;
    if is_all && !arguments.python_only && !arguments.sse_only {
        outcomes.push(web::check().await?);
    }
    Ok(outcomes)
}

impl Arguments {
    /// Returns the arguments of all tests, with those of the containers within this number of seconds.
    pub(crate) fn of_ci(within: Option<u64>) -> Self {
        Self { containers: Some(Containers::IfPossible), containers_within: within, ..Self::default() }
    }

    /// Returns whether all groups of tests are asked for.
    fn is_all(&self) -> bool {
        let is_one = self.rust_only
            || self.python_only
            || self.sse_only
            || self.web_only
            || self.is_of_whole_service();
        !is_one && self.filter.is_empty()
    }

    /// Returns whether only the tests of the whole service are asked for.
    fn is_of_whole_service(&self) -> bool {
        self.conduit || self.shape.is_some()
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
        if arguments.shape == Some(Shape::Lambda) {
            let step = Step::begin("cargo-lambda");
            CargoLambda::ensure(&Home::default(), &step.progress()).await?;
            step.done("installed");
        }
        let step = Step::begin("PostgreSQL");
        let options = Options::temporary();
        let options = if arguments.database_tls { options.with_tls() } else { options };
        let postgres = Postgres::start_with(options, &step.progress()).await?;
        let tls = if postgres.certificates().is_some() { ", with TLS only" } else { "" };
        step.done(&format!("{} on port {}{tls}", postgres.version(), postgres.port()));
        let programs = match &arguments.programs {
            Some(directory) => std::path::absolute(directory)?,
            None => crate::cargo::programs(false).await?,
        };
        let dynoxide =
            if arguments.python_only || arguments.sse_only { None } else { Some(start_dynoxide().await?) };
        Ok(Self { postgres, dynoxide, programs, conduit, event_store: arguments.event_store.clone() })
    }

    /// Adds the addresses of the servers to the environment of a command.
    fn configure(&self, launch: Launch) -> Launch {
        launch
            .env(database::CLUSTER, self.postgres.url("postgres"))
            .env(dynoxide::SERVER, self.dynoxide.as_ref().map_or("", Dynoxide::url))
            .env("MESSENGER_TEST_EVENT_STORE", &self.event_store)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env(postgres::TLS, if self.postgres.certificates().is_some() { "on" } else { "" })
            .env("MESSENGER_BIN_DIR", &self.programs)
            .env(conduit::BINARY, self.conduit.as_deref().unwrap_or_else(|| Path::new("")))
    }
}

async fn start_dynoxide() -> Result<Dynoxide> {
    let step = Step::begin("Dynoxide");
    let dynoxide = Dynoxide::start(None, &step.progress()).await?;
    step.done(&format!("{} at {}", dynoxide::VERSION, dynoxide.url()));
    Ok(dynoxide)
}

/// Prints the results. CI systems read the last line.
fn summarize(outcomes: &[Outcome]) -> ExitCode {
    let style = Style::of_stdout();
    println!("\n{}", style.bold("Summary"));
    for Outcome { name, passed, count } in outcomes {
        let verdict = match (passed, count.is_all_skipped()) {
            (true, false) => style.green("ok    "),
            (true, true) => style.red("SKIPPED"),
            (false, _) => style.red("FAILED"),
        };
        println!("  {verdict} {name} {}", style.dim(&count.summary()));
    }
    let total = outcomes.iter().fold(Count::default(), |total, outcome| total + outcome.count);
    let failed = outcomes.iter().any(|outcome| !outcome.passed);
    println!("total: {} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped);
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
