//! The programs behind the address of the service, in one of three shapes.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use messenger_devstack::{
    CargoLambda, Home,
    environment::setting,
    lambda::Emulator,
    messenger::{LIVEZ, Programs},
    process::traced,
    service::Service,
};
use tokio::time::{Instant, sleep};

/// The shape of the service: `router`, `process` or `lambda`.
const SHAPE: &str = "MESSENGER_TESTS_SHAPE";
/// The time limit of the functions for their start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(50);

/// The functions, with the number of their environments on Lambda: each stream and each waiting poll takes one.
const FUNCTIONS: [(&str, usize); 9] = [
    ("admin", 1),
    ("appservice", 1),
    ("events", 6),
    ("health", 1),
    ("messages", 2),
    ("notifications", 2),
    ("poll", 4),
    ("rooms", 2),
    ("users", 2),
];
/// The largest of these numbers.
const MOST: usize = 6;

/// The way of a request to its function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// All functions run in the process of the router.
    Router,
    /// The router forwards to a process of each function.
    Process,
    /// The emulator of cargo-lambda invokes the functions.
    Lambda,
}

/// The running programs behind the address of the service.
pub(crate) enum Front {
    /// The router, and the functions to which it forwards.
    Router { router: Service, _functions: Vec<Service> },
    /// The emulator with its functions.
    Lambda { _emulator: Emulator },
}

impl Shape {
    pub(crate) fn of_environment() -> Self {
        match setting(SHAPE).as_deref() {
            None | Some("router") => Self::Router,
            Some("process") => Self::Process,
            Some("lambda") => Self::Lambda,
            Some(other) => unreachable!("{SHAPE} is {other}, must be router, process or lambda"),
        }
    }
}

impl Front {
    pub(crate) async fn start(programs: &Programs) -> Result<Self> {
        match Shape::of_environment() {
            Shape::Router => {
                let router = programs.start_router(LIVEZ).await?;
                Ok(Self::Router { router, _functions: Vec::new() })
            }
            Shape::Process => start_processes(programs).await,
            Shape::Lambda => start_environments(programs).await,
        }
    }

    /// Returns the router; `None` on Lambda.
    pub(crate) fn router(&mut self) -> Option<&mut Service> {
        match self {
            Self::Router { router, .. } => Some(router),
            Self::Lambda { .. } => None,
        }
    }
}

async fn start_processes(programs: &Programs) -> Result<Front> {
    let mut functions = Vec::new();
    let mut upstreams = Vec::new();
    for (name, _) in FUNCTIONS {
        let (url, service) = programs.start_function(&program(name)).await?;
        upstreams.push((format!("UPSTREAM_{}", name.to_uppercase()), url));
        functions.push(service);
    }
    let router = programs.start_router_with(LIVEZ, &upstreams).await?;
    Ok(Front::Router { router, _functions: functions })
}

async fn start_environments(programs: &Programs) -> Result<Front> {
    let cargo_lambda = CargoLambda::ensure(&Home::default(), &traced()).await?;
    let configuration = programs.configuration();
    let log = programs.output("emulator");
    let mut emulator = Emulator::start(&cargo_lambda, configuration.port, MOST, log).await?;
    for (name, environments) in FUNCTIONS {
        for _ in 0..environments {
            // On Lambda the address of a process says nothing about who reaches it.
            let launch = programs.launch(&program(name)).env("ENVIRONMENT", "development");
            emulator.add(&program(name), launch)?;
        }
    }
    wait_until_ready(&format!("{}{LIVEZ}", emulator.url())).await?;
    Ok(Front::Lambda { _emulator: emulator })
}

async fn wait_until_ready(url: &str) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().timeout(START_TIMEOUT).build()?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let answer = client.get(url).send().await.context("the emulator");
        match answer {
            Ok(answer) if answer.status() == 200 => return Ok(()),
            _ if Instant::now() < deadline => sleep(PAUSE).await,
            other => bail!("the emulator did not answer {url}: {other:?}"),
        }
    }
}

fn program(name: &str) -> String {
    format!("messenger-{name}")
}
