//! What looks into the router while it is measured: perf at its time, heaptrack at its allocations.
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use messenger_devstack::process::Launch;

use crate::heap::Heap;
use crate::perf::Perf;

/// What the command line says of it.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Look {
    /// Record the router with perf, into this directory
    #[arg(long, value_name = "DIR")]
    perf: Option<PathBuf>,
    /// Record the router's allocations with heaptrack, into this directory
    #[arg(long, value_name = "DIR", conflicts_with_all = ["perf", "url"])]
    heaptrack: Option<PathBuf>,
}

#[derive(Debug)]
pub(crate) enum Profiler {
    Time(Perf),
    Allocations(Heap),
}

impl Look {
    /// `None`: nothing is to be looked at.
    pub(crate) fn profiler(&self) -> Result<Option<Profiler>> {
        Ok(match (&self.perf, &self.heaptrack) {
            (Some(directory), _) => Some(Profiler::Time(Perf::new(directory)?)),
            (None, Some(directory)) => Some(Profiler::Allocations(Heap::new(directory)?)),
            (None, None) => None,
        })
    }
}

impl Profiler {
    /// Whether figures still mean something while it looks.
    pub(crate) fn leaves_speed(&self) -> bool {
        matches!(self, Self::Time(_))
    }

    /// A program into which it looks from its start; `None`: it need not.
    pub(crate) fn launch(&self, name: &str, program: &Path) -> Option<Launch> {
        match self {
            Self::Time(_) => None,
            Self::Allocations(heap) => Some(heap.launch(name, program)),
        }
    }

    /// The measurement of these processes begins; it will take about so long.
    pub(crate) fn start(&mut self, pids: &[i32], duration: Duration) -> Result<()> {
        match self {
            Self::Time(perf) => perf.start(pids, duration),
            Self::Allocations(heap) => heap.start(pids),
        }
    }

    pub(crate) fn stop(&mut self) -> Result<()> {
        match self {
            Self::Time(perf) => perf.stop(),
            Self::Allocations(heap) => heap.stop(),
        }
    }

    /// Writes a flame graph; what was seen, as text. `units` says what was done meanwhile, how often.
    pub(crate) fn evaluate(&self, title: &str, units: &[(&str, f64)]) -> Result<String> {
        match self {
            Self::Time(perf) => perf.evaluate(title),
            Self::Allocations(heap) => heap.evaluate(title, units),
        }
    }
}
