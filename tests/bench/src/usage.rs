//! What a process and its children take: memory and processor time, from `/proc`.
use std::fs;
use std::time::{Duration, Instant};

/// Linux counts processor time in hundredths of a second towards programs (`USER_HZ`), on every machine that we run on.
const TICK: Duration = Duration::from_millis(10);

/// Memory and processor time at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    at: Instant,
    processor: Duration,
    /// Resident memory in KiB.
    pub(crate) memory: u64,
}

impl Usage {
    /// Of these processes and all their descendants.
    pub(crate) fn of(roots: &[i32]) -> Self {
        Self::sum(&family(roots))
    }

    /// Of these processes without what they started.
    pub(crate) fn own(pids: &[i32]) -> Self {
        Self::sum(pids)
    }

    fn sum(pids: &[i32]) -> Self {
        let mut usage = Self { at: Instant::now(), processor: Duration::ZERO, memory: 0 };
        for pid in pids {
            usage.processor += processor(*pid);
            usage.memory += resident(*pid);
        }
        usage
    }

    /// Processor time since an earlier moment.
    pub(crate) fn processor_since(&self, earlier: &Self) -> Duration {
        self.processor.saturating_sub(earlier.processor)
    }

    /// Share of one core since an earlier moment, in percent.
    pub(crate) fn percent_since(&self, earlier: &Self) -> f64 {
        let wall = self.at.duration_since(earlier.at).as_secs_f64();
        if wall > 0.0 { 100.0 * self.processor_since(earlier).as_secs_f64() / wall } else { 0.0 }
    }
}

fn family(roots: &[i32]) -> Vec<i32> {
    let mut family = roots.to_vec();
    let mut seen = 0;
    while seen < family.len() {
        let pid = family[seen];
        let children = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in children {
            let text = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            family.extend(text.split_whitespace().filter_map(|child| child.parse::<i32>().ok()));
        }
        seen += 1;
    }
    family
}

/// The processor time of all threads (proc(5), `stat`).
fn processor(pid: i32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in brackets may hold anything.
    let fields: Vec<&str> =
        text.rsplit_once(')').map_or(Vec::new(), |(_, fields)| fields.split_whitespace().collect());
    let ticks = fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok());
    TICK * ticks.sum::<u32>()
}

fn resident(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_memory_and_its_children_count() {
        let ours = i32::try_from(std::process::id()).unwrap();
        let alone = Usage::of(&[ours]);
        assert!(alone.memory > 500);
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        assert!(family(&[ours]).contains(&i32::try_from(child.id()).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
