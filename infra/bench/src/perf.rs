//! Where the server's time goes: `perf record` while a measurement runs.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::flame;

/// How many of the top symbols are shown.
const TOP: usize = 40;

/// Records what the server does.
#[derive(Debug)]
pub(crate) struct Recorder {
    directory: PathBuf,
}

/// A recording under way.
pub(crate) struct Recording(Child);

impl Recorder {
    /// Recordings go into `directory`.
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        let found = Command::new("perf").arg("--version").stdout(Stdio::null()).status();
        ensure!(found.is_ok_and(|status| status.success()), "`perf` is missing: apt-get install linux-perf");
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        Ok(Self { directory: directory.to_owned() })
    }

    fn data(&self) -> PathBuf {
        self.directory.join("perf.data")
    }

    /// Records so long.
    pub(crate) fn start(&self, pids: &[i32], duration: Duration) -> Result<Recording> {
        let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
        let child = Command::new("perf")
            .args(["record", "--freq=499", "--call-graph=fp", "--pid", &pids.join(","), "--output"])
            .arg(self.data())
            .args(["--", "sleep", &duration.as_secs_f64().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting perf")?;
        Ok(Recording(child))
    }

    /// Writes a flame graph; the top symbols as text.
    pub(crate) fn evaluate(&self, title: &str) -> Result<String> {
        let script = Command::new("perf")
            .args(["script", "--fields", "comm,ip,sym", "--input"])
            .arg(self.data())
            .stderr(Stdio::null())
            .output()
            .context("running perf script")?;
        let stacks = flame::fold(&String::from_utf8_lossy(&script.stdout));
        ensure!(!stacks.is_empty(), "perf recorded nothing (kernel.perf_event_paranoid?)");
        let name = title.replace(|letter: char| !letter.is_alphanumeric(), "-");
        let picture = self.directory.join(format!("{name}.svg"));
        fs::write(&picture, flame::svg(title, &stacks))?;
        let folded: Vec<String> = stacks.iter().map(|(stack, count)| format!("{stack} {count}")).collect();
        fs::write(self.directory.join(format!("{name}.folded")), folded.join("\n"))?;
        Ok(format!("{}\n\nflame graph: {}", top(&stacks), picture.display()))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.0.wait();
    }
}

/// The symbols that the processor was in, and those that it was below, with their shares.
fn top(stacks: &BTreeMap<String, u64>) -> String {
    let (mut own, mut below, mut all) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, u64>::new(), 0);
    for (stack, count) in stacks {
        let mut symbols: Vec<&str> = stack.split(';').skip(1).collect();
        all += count;
        *own.entry(symbols.last().copied().unwrap_or_default()).or_default() += count;
        symbols.sort_unstable();
        symbols.dedup();
        for symbol in symbols {
            *below.entry(symbol).or_default() += count;
        }
    }
    format!("own time\n{}\n\nwith what they call\n{}", ranked(&own, all), ranked(&below, all))
}

fn ranked(counts: &BTreeMap<&str, u64>, all: u64) -> String {
    let mut ranked: Vec<_> = counts.iter().collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let line =
        |(symbol, count): &(&&str, &u64)| format!("{:5.1} %  {symbol}", 100.0 * **count as f64 / all as f64);
    ranked.iter().take(TOP).map(line).collect::<Vec<_>>().join("\n")
}
