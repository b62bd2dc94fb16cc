//! Child processes that end with this process.
//!
//! A child is killed when its [`Process`] is dropped and, on Linux (`setpriv` of util-linux), when this
//! process ends in any other way, `kill -9` included. The kernel sends that signal when the *thread* that
//! spawned the child ends, so all children are spawned from one thread that lives as long as this process. A
//! child has its own process group, so that Ctrl-C in the terminal does not reach it and children can be
//! stopped in order.
pub(crate) mod freeze;
mod launch;
mod lines;
mod spawner;

use std::process::ExitStatus;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::sync::watch;

pub use launch::{Launch, Output};
pub use lines::{Sink, prefixed, traced};
pub use rustix::process::Signal;

use crate::lock::{lock, unpoisoned};
use lines::{LastLines, last_lines_of};

/// A running child. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    pid: Pid,
    end: Arc<End>,
    ended: watch::Receiver<Option<ExitStatus>>,
    last_lines: LastLines,
}

/// The end of a child. After it was reaped, its number may belong to another process and gets no signals.
#[derive(Debug, Default)]
struct End {
    reaped: Mutex<bool>,
    changed: Condvar,
}

impl Process {
    /// Starts the child.
    pub fn spawn(launch: Launch) -> Result<Self> {
        let (command, reader) = launch.command()?;
        let child = spawner::spawn(command).with_context(|| format!("starting {}", launch.name()))?;
        let pid =
            i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a child without a number")?;
        let last_lines = LastLines::default();
        let lines_read = reader.map(|reader| lines::read(reader, launch.sink(), last_lines.clone()));
        let end = Arc::new(End::default());
        let (sender, ended) = watch::channel(None);
        let process = Self { launch, pid, end: Arc::clone(&end), ended, last_lines };
        std::thread::spawn(move || {
            let status = end.reap(pid, child);
            if let Some(lines_read) = lines_read {
                lines_read.wait();
            }
            sender.send_replace(Some(status));
        });
        Ok(process)
    }

    /// Returns the name of the [`Launch`].
    pub fn name(&self) -> &str {
        self.launch.name()
    }

    /// Returns the number of the process.
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Returns the exit status; `None` while the child runs.
    pub fn status(&self) -> Option<ExitStatus> {
        *self.ended.borrow()
    }

    /// Waits until the child ends. Returns the exit status.
    pub async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.clone();
        let status = ended.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        status.unwrap_or_default()
    }

    /// Returns the last lines of its output.
    pub fn last_lines(&self) -> String {
        match self.launch.log() {
            Some(file) => last_lines_of(file),
            None => self.last_lines.text(),
        }
    }

    /// Sends a signal to the child and its process group.
    pub fn signal(&self, signal: Signal) {
        let reaped = lock(&self.end.reaped);
        if !*reaped {
            // This fails only if the child has just ended.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Freezes the child and its process group with `SIGSTOP`. When this returns, no thread of the child runs.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        freeze::wait_until_stopped(self.pid);
    }

    /// Sends `SIGTERM` and waits for the end; after `grace`, kills the child.
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        self.stop_with(Signal::TERM, grace).await
    }

    /// Stops the child as [`stop`](Self::stop) does, with another signal.
    pub async fn stop_with(&self, signal: Signal, grace: Duration) -> ExitStatus {
        self.signal(signal);
        if let Ok(status) = tokio::time::timeout(grace, self.ended()).await {
            return status;
        }
        tracing::warn!(process = self.name(), ?grace, "process did not stop in time: killed");
        self.signal(Signal::KILL);
        self.ended().await
    }

    /// Stops the child as [`stop_with`](Self::stop_with) does, and blocks the thread until the child has
    /// ended.
    pub fn stop_blocking(&self, signal: Signal, grace: Duration) {
        self.signal(signal);
        if !self.end.wait(grace) {
            self.signal(Signal::KILL);
            self.end.wait(Duration::from_secs(5));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop_blocking(Signal::KILL, Duration::from_secs(5));
    }
}

impl End {
    /// Waits until the child ends, and kills the other processes of its group.
    fn reap(&self, pid: Pid, mut child: std::process::Child) -> ExitStatus {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        let mut reaped = lock(&self.reaped);
        let _ = kill_process_group(pid, Signal::KILL);
        let status = child.wait().unwrap_or_default();
        *reaped = true;
        self.changed.notify_all();
        status
    }

    fn wait(&self, grace: Duration) -> bool {
        let reaped = lock(&self.reaped);
        let waited = self.changed.wait_timeout_while(reaped, grace, |reaped| !*reaped);
        *unpoisoned(waited).0
    }
}
