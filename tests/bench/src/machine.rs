//! The machine on which a figure was measured, and the memory and processor time of processes.
use std::process::Command;
use std::time::{Duration, Instant};

use procfs::process::Process;
use procfs::{CpuInfo, Current, LoadAverage, Meminfo};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    cores: usize,
    model: String,
    memory_mib: u64,
    kernel: String,
    rustc: String,
    /// The load average of the last minute before the measurement.
    load: f64,
}

impl Machine {
    /// Describes this machine; leaves out values that it does not provide.
    pub(crate) fn current() -> Self {
        let rustc = Command::new("rustc").arg("--version").output().map(|output| output.stdout);
        let processor = CpuInfo::current().ok();
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            model: processor.and_then(|cpu| cpu.model_name(0).map(str::to_owned)).unwrap_or_default(),
            memory_mib: Meminfo::current().map_or(0, |memory| memory.mem_total >> 20),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            rustc: String::from_utf8_lossy(&rustc.unwrap_or_default()).trim().to_owned(),
            load: LoadAverage::current().map_or(0.0, |load| (f64::from(load.one) * 100.0).round() / 100.0),
        }
    }

    /// Returns a line for people, and a warning if other programs use much of the machine.
    pub(crate) fn text(&self) -> String {
        let Self { cores, model, memory_mib, kernel, rustc, load } = self;
        let text =
            format!("{cores} cores ({model}), {memory_mib} MiB, Linux {kernel}, {rustc}, load {load} before");
        if *load <= 0.3 * *cores as f64 {
            return text;
        }
        text + "\nWARNING: the machine is busy with other things: trust ratios, not absolute figures"
    }
}

/// Memory and processor time of some processes at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    at: Instant,
    processor: Duration,
    /// Resident memory in KiB.
    pub memory: u64,
}

impl Usage {
    /// Measures these processes and all their descendants.
    pub fn of(roots: &[i32]) -> Self {
        Self::sum(&with_descendants(roots))
    }

    /// Measures this process without its children.
    pub fn of_this_process() -> Self {
        Self::sum(&[rustix::process::getpid().as_raw_nonzero().get()])
    }

    fn sum(pids: &[i32]) -> Self {
        let (mut ticks, mut memory) = (0, 0);
        for process in pids.iter().filter_map(|pid| Process::new(*pid).ok()) {
            ticks += process.stat().map_or(0, |stat| stat.utime + stat.stime);
            memory += process.status().ok().and_then(|status| status.vmrss).unwrap_or(0);
        }
        let seconds = ticks as f64 / procfs::ticks_per_second() as f64;
        Self { at: Instant::now(), processor: Duration::from_secs_f64(seconds), memory }
    }

    /// Returns the processor time since an earlier moment.
    pub fn processor_since(&self, earlier: &Self) -> Duration {
        self.processor.saturating_sub(earlier.processor)
    }

    /// Returns the share of one core since an earlier moment, in percent.
    pub fn percent_since(&self, earlier: &Self) -> f64 {
        let wall = self.at.duration_since(earlier.at).as_secs_f64();
        if wall > 0.0 { 100.0 * self.processor_since(earlier).as_secs_f64() / wall } else { 0.0 }
    }
}

fn with_descendants(roots: &[i32]) -> Vec<i32> {
    let mut pids = roots.to_vec();
    let mut next = 0;
    while let Some(pid) = pids.get(next) {
        let tasks = Process::new(*pid).and_then(|process| process.tasks()).into_iter().flatten().flatten();
        let children = tasks.flat_map(|task| task.children().unwrap_or_default());
        pids.extend(children.filter_map(|child| i32::try_from(child).ok()).collect::<Vec<_>>());
        next += 1;
    }
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_memory_and_its_children_are_found() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(Usage::of(&[pid]).memory > 500);
        let mut child = Command::new("sleep").arg("5").spawn().unwrap();
        assert!(with_descendants(&[pid]).contains(&i32::try_from(child.id()).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
