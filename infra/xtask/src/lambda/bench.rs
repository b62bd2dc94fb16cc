//! `cargo xtask lambda bench`: sizes, cold starts and memory of built functions, under a Runtime API of our own.
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use messenger_devstack::OutputQueue;
use messenger_devstack::process::Launch;
use messenger_rapi::Function;
use tokio::time::Instant;

use super::functions::{chosen, folder, megabytes};
use super::package::PACKAGE;
use super::request;
use super::service::Service;
use crate::step::Step;

/// The goals: megabytes of a program, milliseconds from start to the first answer (median), and megabytes of
/// resident memory.
const GOALS: Goals = Goals { size: 12.0, answer: 50.0, memory: 25.0 };

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Bench {
    /// Only these functions, for example `rooms worker`; `cargo xtask lambda package` has built them before
    names: Vec<String>,
    /// The number of starts of each function
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
}

struct Goals {
    size: f64,
    answer: f64,
    memory: f64,
}

/// The measurements of one function.
struct Measured {
    name: String,
    size: f64,
    package: f64,
    next: Latencies,
    /// Empty for the worker, whose invocations take as long as there is work.
    answer: Latencies,
    memory: f64,
}

/// Times in milliseconds, in ascending order.
struct Latencies(Vec<f64>);

pub(super) async fn run(options: &Bench) -> Result<bool> {
    let names = chosen(&options.names)?;
    for name in &names {
        let path = folder(name).join("bootstrap");
        ensure!(path.exists(), "no {}: run `cargo xtask lambda package` first", path.display());
    }
    let mut service = Service::start().await?;
    let mut all = Vec::new();
    for name in &names {
        let step = Step::begin(name);
        all.push(measure(name, &service, options.starts).await?);
        step.done(&format!("started {} times", options.starts));
    }
    service.stop().await;
    OutputQueue::stdout().write(table(&all));
    Ok(all.iter().all(Measured::reaches_goals))
}

async fn measure(name: &str, service: &Service, starts: u32) -> Result<Measured> {
    let (program, package) = (folder(name).join("bootstrap"), folder(name).join(PACKAGE));
    let (mut next, mut answer, mut memory) = (Vec::new(), Vec::new(), 0.0_f64);
    for _ in 0..starts {
        let launch = service.configure(Launch::new(name, &program));
        let begin = Instant::now();
        let function = Function::start(launch).await?;
        next.push(milliseconds(function.initialized().await?));
        if let Some(request) = request::of(name)? {
            request.answered_by(&function).await.with_context(|| format!("the request of {name}"))?;
            answer.push(milliseconds(begin.elapsed()));
        }
        memory = memory.max(resident(function.process().id())?);
    }
    let (size, package) = (megabytes(&program)?, size_or_none(&package)?);
    let (next, answer) = (Latencies::of(next), Latencies::of(answer));
    Ok(Measured { name: name.to_owned(), size, package, next, answer, memory })
}

/// Returns the resident memory of a process in megabytes.
fn resident(process: i32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("reading its memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u32>().ok());
    match kilobytes {
        Some(kilobytes) => Ok(f64::from(kilobytes) * 1024.0 / 1e6),
        None => bail!("/proc/{process}/status has no VmRSS"),
    }
}

fn size_or_none(package: &Path) -> Result<f64> {
    if package.exists() { megabytes(package) } else { Ok(f64::NAN) }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Latencies {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// Returns the time that this share of a hundred does not exceed; not a number without times.
    fn percentile(&self, share: usize) -> f64 {
        let rank = (self.0.len() * share).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

impl Measured {
    fn reaches_goals(&self) -> bool {
        // A missing measurement exceeds no goal.
        let exceeds = |value: f64, goal: f64| value > goal;
        let answer = self.answer.percentile(50);
        !exceeds(self.size, GOALS.size)
            && !exceeds(answer, GOALS.answer)
            && !exceeds(self.memory, GOALS.memory)
    }
}

fn table(all: &[Measured]) -> String {
    let mut text = format!(
        "\n{:<14}{:>7}{:>7}{:>17}{:>20}{:>9}\n{:<14}{:>7}{:>7}{:>17}{:>20}{:>9}\n",
        "", "MB", "zip", "to `next`, ms", "to answer, ms", "RSS MB", "", "", "", "p50 / p99", "p50 / p99", ""
    );
    for one in all {
        let (next, answer) = (pair(&one.next), pair(&one.answer));
        let mark = if one.reaches_goals() { "" } else { "  misses a goal" };
        let (name, size, zip, memory) =
            (&one.name, number(one.size), number(one.package), number(one.memory));
        let _ = writeln!(text, "{name:<14}{size:>7}{zip:>7}{next:>17}{answer:>20}{memory:>9}{mark}");
    }
    let Goals { size, answer, memory } = GOALS;
    let _ = writeln!(text, "goals: {size} MB, {answer} ms to the first answer (p50), {memory} MB of memory");
    text
}

fn pair(latencies: &Latencies) -> String {
    format!("{} / {}", number(latencies.percentile(50)), number(latencies.percentile(99)))
}

fn number(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(size: f64, answers: Vec<f64>) -> Measured {
        Measured {
            name: "rooms".to_owned(),
            size,
            package: f64::NAN,
            next: Latencies::of(vec![3.0, 2.0]),
            answer: Latencies::of(answers),
            memory: 9.0,
        }
    }

    #[test]
    fn percentiles_are_measured_times() {
        let times = Latencies::of((1..=30).rev().map(f64::from).collect());
        assert_eq!(
            (number(times.percentile(50)), number(times.percentile(99))),
            ("15.0".into(), "30.0".into())
        );
        assert_eq!(number(Latencies::of(Vec::new()).percentile(50)), "-");
    }

    #[test]
    fn a_function_that_misses_a_goal_is_marked() {
        assert!(measured(12.0, vec![50.0, 51.0]).reaches_goals());
        assert!(measured(12.0, Vec::new()).reaches_goals(), "no answer was measured");
        assert!(!measured(12.1, vec![50.0]).reaches_goals());
        let slow = measured(12.0, vec![50.1]);
        assert!(!slow.reaches_goals());
        let text = table(&[slow]);
        assert!(
            text.contains("rooms") && text.contains("misses a goal") && text.contains("2.0 / 3.0"),
            "{text}"
        );
    }
}
