//! The programs behind the address of the service, in one of three shapes.

use std::time::Duration;

use anyhow::Result;
use messenger_devstack::{
    CargoLambda, Home,
    environment::setting,
    messenger::{FUNCTIONS, LIVEZ, Programs},
    process::traced,
    service::Service,
};

/// The shape of the service: `router`, `process` or `lambda`.
const SHAPE: &str = "MESSENGER_TESTS_SHAPE";
/// The time limit of the emulator and its first function on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// The most environments of a function: each stream and each waiting poll takes one.
const ENVIRONMENTS: usize = 6;

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
pub(crate) struct Front {
    /// The router, or the emulator of Lambda.
    gateway: Service,
    /// The functions to which the router forwards.
    _functions: Vec<Service>,
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
        let (mut functions, mut upstreams) = (Vec::new(), Vec::new());
        let shape = Shape::of_environment();
        for name in FUNCTIONS.iter().filter(|_| shape == Shape::Process) {
            let (url, service) = programs.start_function(&format!("messenger-{name}")).await?;
            upstreams.push((format!("UPSTREAM_{}", name.to_uppercase()), url));
            functions.push(service);
        }
        let gateway = match shape {
            Shape::Router | Shape::Process => programs.start_router_with(LIVEZ, &upstreams).await?,
            Shape::Lambda => start_emulator(programs).await?,
        };
        Ok(Self { gateway, _functions: functions })
    }

    /// Returns the router; on Lambda the emulator.
    pub(crate) fn gateway(&mut self) -> &mut Service {
        &mut self.gateway
    }
}

async fn start_emulator(programs: &Programs) -> Result<Service> {
    let cargo_lambda = CargoLambda::ensure(&Home::default(), &traced()).await?;
    let configuration = programs.configuration();
    let launch = cargo_lambda.emulator(programs.directory(), configuration.port, ENVIRONMENTS);
    let launch =
        configuration.environment().iter().fold(launch, |launch, (name, value)| launch.env(name, value));
    // On Lambda the address of a process says nothing about who reaches it.
    let launch = launch.env("ENVIRONMENT", "development").output(programs.output("emulator"));
    Service::start(launch, format!("{}{LIVEZ}", configuration.url()), START_TIMEOUT).await
}
