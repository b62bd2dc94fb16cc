//! A server process with an HTTP endpoint that shows its readiness.
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, timeout};

use crate::process::{Launch, Process, Signal};

/// Time limit of a server for stopping; after it, the server is killed.
const GRACE: Duration = Duration::from_secs(10);

/// A server process with an HTTP endpoint that shows its readiness. It can be stopped and started again.
#[derive(Debug)]
pub struct Service {
    launch: Launch,
    ready_url: String,
    start_timeout: Duration,
    process: Option<Process>,
}

impl Service {
    /// Starts the server and waits until the URL answers 200. The error holds the last lines of its log.
    pub async fn start(launch: Launch, ready_url: String, start_timeout: Duration) -> Result<Self> {
        let mut service = Self { launch, ready_url, start_timeout, process: None };
        service.start_again().await?;
        Ok(service)
    }

    /// Starts the server as before, if it is not running.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let process = Process::spawn(self.launch.clone())?;
        self.wait_until_ready(&process).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Stops the server and waits for its end.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop(GRACE).await;
        }
    }

    /// Kills the server with `SIGKILL`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Freezes the server with `SIGSTOP`: connections stay open and get no answer.
    pub fn pause(&self) {
        if let Some(process) = &self.process {
            process.freeze();
        }
    }

    /// Resumes a frozen server.
    pub fn resume(&self) {
        if let Some(process) = &self.process {
            process.signal(Signal::CONT);
        }
    }

    /// Returns whether the process runs.
    pub fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.status().is_none())
    }

    /// Returns the process; `None` after it was stopped or killed.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    async fn wait_until_ready(&self, process: &Process) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let deadline = Instant::now() + self.start_timeout;
        loop {
            let response = client.get(&self.ready_url).send().await;
            if response.is_ok_and(|response| response.status() == 200) {
                return Ok(());
            }
            // The pause between two requests ends early if the process ends.
            if let Ok(status) = timeout(Duration::from_millis(25), process.ended()).await {
                bail!("{} ended ({status}) before it was ready:\n{}", process.name(), process.last_lines());
            }
            if Instant::now() > deadline {
                let (name, url, limit) = (process.name(), &self.ready_url, self.start_timeout);
                bail!("{name} did not answer {url} within {limit:?}:\n{}", process.last_lines());
            }
        }
    }
}

/// Calls `start` with a free port. Repeats it with another one if another process takes the port first.
pub(crate) async fn on_free_port<T>(port: u16, mut start: impl AsyncFnMut(u16) -> Result<T>) -> Result<T> {
    if port != 0 {
        return start(port).await;
    }
    for _ in 0..3 {
        let port = crate::free_port()?;
        match start(port).await {
            Err(error) if !crate::port::is_free(port) => {
                tracing::warn!(port, "another process took the port: {error:#}");
                sleep(Duration::from_millis(100)).await;
            }
            result => return result,
        }
    }
    start(crate::free_port()?).await.context("after other processes took three ports")
}
