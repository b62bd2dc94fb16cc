//! The process of a function under a Runtime API.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use messenger_devstack::process::{Launch, Process, Signal};
use tokio::time::{Instant, timeout};

use crate::{HttpResponse, Invocation, Outcome, RuntimeApi};

/// The time limit for the first `next` on a busy machine.
const START_LIMIT: Duration = Duration::from_mins(1);
/// The longest time after the deadline until an outcome is missed.
const MARGIN: Duration = Duration::from_secs(10);

/// A program that runs as a Lambda function. Dropping it kills the process.
#[derive(Debug)]
pub struct Function {
    api: RuntimeApi,
    process: Process,
    started: Instant,
}

impl Function {
    /// Starts a program under a Runtime API of its own.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started.
    pub async fn start(launch: Launch) -> Result<Self> {
        let api = RuntimeApi::start().await?;
        let variables = api.environment();
        let launch = variables.iter().fold(launch, |launch, (name, value)| launch.env(name, value));
        let started = Instant::now();
        let process = Process::spawn(launch)?;
        Ok(Self { api, process, started })
    }

    /// Waits for the first `next`. Returns the time that the initialization took.
    ///
    /// # Errors
    /// Returns an error with the last lines of the output if the process ends before, or reports an error.
    pub async fn initialized(&self) -> Result<Duration> {
        let first = self.unless_ended(timeout(START_LIMIT, self.api.first_next())).await?;
        Ok(first.context("no `next` in time")??.duration_since(self.started))
    }

    /// Invokes the function.
    ///
    /// # Errors
    /// Returns an error if the process ends, or if there is no outcome ten seconds after the deadline.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Outcome> {
        let limit = invocation.time_limit + MARGIN;
        self.unless_ended(timeout(limit, self.api.invoke(invocation))).await?.context("no outcome in time")?
    }

    /// Invokes the function with an HTTP event. Returns its whole response.
    ///
    /// # Errors
    /// Returns an error if the function reports one.
    pub async fn call(&self, event: &serde_json::Value) -> Result<HttpResponse> {
        self.invoke(Invocation::new(event)).await?.answer().await
    }

    /// Waits until the function asks for the next event, and freezes it.
    ///
    /// # Errors
    /// Returns an error if the process ends.
    pub async fn freeze(&self) -> Result<()> {
        self.unless_ended(timeout(START_LIMIT, self.api.idle(1))).await?.context("no `next` in time")??;
        self.process.freeze();
        Ok(())
    }

    /// Thaws the function.
    pub fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Returns the Runtime API.
    pub fn api(&self) -> &RuntimeApi {
        &self.api
    }

    /// Returns the process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            result = work => Ok(result),
            status = self.process.ended() => {
                bail!("{} ended ({status}):\n{}", self.process.name(), self.process.last_lines())
            }
        }
    }
}
