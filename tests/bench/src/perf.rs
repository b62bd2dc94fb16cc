//! Where the server's time goes: `perf record` while a measurement runs.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::stacks::Stacks;

/// Records what the server does.
#[derive(Debug)]
pub(crate) struct Perf {
    directory: PathBuf,
    recording: Option<Child>,
}

impl Perf {
    /// Recordings go into `directory`.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        let found = Command::new("perf").arg("--version").stdout(Stdio::null()).status();
        ensure!(found.is_ok_and(|status| status.success()), "`perf` is missing: apt-get install linux-perf");
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        Ok(Self { directory: directory.to_owned(), recording: None })
    }

    fn data(&self) -> PathBuf {
        self.directory.join("perf.data")
    }

    /// Records so long.
    pub(crate) fn start(&mut self, pids: &[i32], duration: Duration) -> Result<()> {
        let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let child = Command::new("perf")
            .args(["record", "--freq=499", "--call-graph=fp", "--pid", &pids.join(","), "--output"])
            .arg(self.data())
            .args(["--", "sleep", &duration.as_secs_f64().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting perf")?;
        self.recording = Some(child);
        Ok(())
    }

    /// Waits until everything is recorded.
    pub(crate) fn stop(&mut self) -> Result<()> {
        if let Some(mut recording) = self.recording.take() {
            recording.wait().context("waiting for perf")?;
        }
        Ok(())
    }

    /// Writes a flame graph; the top symbols as text.
    pub(crate) fn evaluate(&self, title: &str) -> Result<String> {
        let script = Command::new("perf")
            .args(["script", "--fields", "comm,ip,sym", "--input"])
            .arg(self.data())
            .stderr(Stdio::null())
            .output()
            .context("running perf script")?;
        let stacks = Stacks::of_perf(&String::from_utf8_lossy(&script.stdout));
        ensure!(!stacks.0.is_empty(), "perf recorded nothing (kernel.perf_event_paranoid?)");
        Ok(format!(
            "own time\n{}\n\nwith what they call\n{}\n\nflame graph: {}",
            stacks.innermost(),
            stacks.inclusive(),
            stacks.write(&self.directory, title)?.display()
        ))
    }
}
