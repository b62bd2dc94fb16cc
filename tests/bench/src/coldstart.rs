//! `coldstart`: from exec to the first answer, memory and size, for each function.
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use messenger_devstack::free_port;
use messenger_devstack::process::Process;
use tokio::time::{Instant, sleep};

use crate::http::{Server, once};
use crate::latency::Latencies;
use crate::options::Coldstart;
use crate::report::{Report, Row};
use crate::stack::Stack;
use crate::usage::Usage;

const PATIENCE: Duration = Duration::from_secs(20);
/// No functions: they do not answer HTTP, or are no part of the service.
const OTHERS: [&str; 2] = ["messenger-bench", "messenger-worker"];

pub(crate) async fn run(options: &Coldstart, report: &mut Report) -> Result<()> {
    let programs = options.common.programs()?;
    let stack = Stack::start(&programs, false).await?;
    for program in functions(&programs)? {
        let name = program.file_name().and_then(|name| name.to_str()).context("a program without a name")?;
        let (mut latencies, mut memory) = (Latencies::default(), 0);
        for _ in 0..options.times {
            let (latency, resident) = start(&stack, name).await?;
            latencies.record(latency);
            memory = memory.max(resident);
        }
        let size = fs::metadata(&program)?.len() as f64 / f64::from(1 << 20);
        let row = Row::new(name)
            .with("p50 ms", latencies.quantile(0.5))
            .with("max ms", latencies.max())
            .with("memory MiB", memory as f64 / 1024.0)
            .with("binary MiB", size);
        report.push(row);
    }
    Ok(())
}

/// The built functions.
fn functions(programs: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(programs).with_context(|| format!("reading {}", programs.display()))?;
    let is_function = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("messenger-") && !name.contains('.') && !OTHERS.contains(&name) && path.is_file()
    };
    let mut functions: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_function).collect();
    functions.sort();
    Ok(functions)
}

/// How long it took until `/livez` was answered, and the memory then.
async fn start(stack: &Stack, program: &str) -> Result<(Duration, u64)> {
    let server = Server::local(free_port()?);
    let launch = stack.launch(program).env("PORT", server.address.port().to_string());
    let request = server.request("GET", "/livez", &[], "");
    let begin = Instant::now();
    let process = Process::spawn(launch)?;
    while begin.elapsed() < PATIENCE {
        if once(&server, &request).await.is_ok_and(|answer| answer.status == 200) {
            return Ok((begin.elapsed(), Usage::of(&[process.id()]).memory));
        }
        if let Some(status) = process.status() {
            bail!("{program} ended ({status}):\n{}", process.last_lines());
        }
        sleep(Duration::from_micros(200)).await;
    }
    bail!("{program} did not answer within {PATIENCE:?}")
}
