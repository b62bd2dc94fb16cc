//! A server process that says by HTTP that it is ready.
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, timeout};

use crate::process::{Launch, Process, Signal};

/// How long a server may take to end before it is killed.
const GRACE: Duration = Duration::from_secs(10);

/// A server process that says by HTTP that it is ready. It can be stopped and started again.
#[derive(Debug)]
pub struct Service {
    launch: Launch,
    ready: String,
    patience: Duration,
    process: Option<Process>,
}

impl Service {
    /// Starts it and waits until `ready` (a URL) answers 200. The error holds the last lines of its log.
    pub async fn start(launch: Launch, ready: String, patience: Duration) -> Result<Self> {
        let mut service = Self { launch, ready, patience, process: None };
        service.start_again().await?;
        Ok(service)
    }

    /// Starts it as before; nothing happens when it runs.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let process = Process::spawn(self.launch.clone())?;
        self.wait_until_ready(&process).await?;
        self.process = Some(process);
        Ok(())
    }

    /// Asks it to end and waits for that.
    pub async fn stop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop(GRACE).await;
        }
    }

    /// Ends it at once (`SIGKILL`).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Freezes it (`SIGSTOP`): it keeps its connections and answers nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen one go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Whether it was started and has not ended by itself.
    pub fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.status().is_none())
    }

    /// The process, while it was not stopped.
    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    async fn wait_until_ready(&self, process: &Process) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let deadline = Instant::now() + self.patience;
        loop {
            let answer = client.get(&self.ready).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            // The pause between two questions ends early when the process does.
            if let Ok(status) = timeout(Duration::from_millis(25), process.ended()).await {
                bail!("{} ended ({status}) before it was ready:\n{}", process.name(), process.tail());
            }
            if Instant::now() > deadline {
                let (name, url, patience) = (process.name(), &self.ready, self.patience);
                bail!("{name} did not answer {url} within {patience:?}:\n{}", process.tail());
            }
        }
    }
}

/// Repeats `start` with other ports when somebody else was quicker to take a free one.
pub(crate) async fn on_free_port<T>(port: u16, mut start: impl AsyncFnMut(u16) -> Result<T>) -> Result<T> {
    if port != 0 {
        return start(port).await;
    }
    for _ in 0..3 {
        let port = crate::free_port()?;
        match start(port).await {
            Err(error) if !crate::port::is_free(port) => {
                tracing::warn!(port, "port taken by somebody else: {error:#}");
                sleep(Duration::from_millis(100)).await;
            }
            result => return result,
        }
    }
    start(crate::free_port()?).await.context("after three ports were taken by others")
}
