//! The machine that a figure was measured on.
use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// Facts without which a figure says little.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    cores: usize,
    model: String,
    memory_mib: u64,
    kernel: String,
    rustc: String,
    /// Over the last minute, before the measurement.
    load: f64,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let rustc = Command::new("rustc").arg("--version").output();
        let rustc = rustc.ok().and_then(|answer| String::from_utf8(answer.stdout).ok()).unwrap_or_default();
        let kib = value(&memory, "MemTotal").split(' ').next().and_then(|kib| kib.parse::<u64>().ok());
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            model: value(&processor, "model name").to_owned(),
            memory_mib: kib.unwrap_or(0) / 1024,
            kernel: kernel.trim().to_owned(),
            rustc: rustc.trim().to_owned(),
            load: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }

    /// Whether others use the machine so much that absolute figures mean little.
    fn is_busy(&self) -> bool {
        self.load > 0.3 * self.cores as f64
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let Self { cores, model, memory_mib, kernel, rustc, load } = self;
        let mut text =
            format!("{cores} cores ({model}), {memory_mib} MiB, Linux {kernel}, {rustc}, load {load} before");
        if self.is_busy() {
            text.push_str(
                "\nWARNING: the machine is busy with other things: trust ratios, not absolute figures",
            );
        }
        text
    }
}

/// The value in a line `name : value`.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map_or("", |(_, value)| value.trim())
}
