//! `coldstart`: the time from exec to the first response, memory and size of each function.
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use messenger_devstack::free_port;
use messenger_devstack::process::Process;
use tokio::time::{Instant, sleep};

use crate::http::{Server, call_once};
use crate::latency::Latencies;
use crate::machine::Usage;
use crate::options::{Coldstart, Common};
use crate::report::{Report, Row};
use crate::stack::Stack;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Binaries that are not functions.
const OTHERS: [&str; 3] = ["messenger-bench", "messenger-peers", "messenger-worker"];

pub(crate) async fn run(options: &Coldstart, common: &Common, report: &mut Report) -> Result<()> {
    let programs = common.programs()?;
    let stack = Stack::start(&programs, false).await?;
    for name in functions(&programs)? {
        let (mut latencies, mut memory) = (Latencies::default(), 0);
        for _ in 0..options.times {
            let (latency, resident) = start(&stack, &name).await?;
            latencies.record(latency);
            memory = memory.max(resident);
        }
        let size = fs::metadata(programs.join(&name))?.len() as f64;
        let row = Row::new(name)
            .with("p50 ms", latencies.p50())
            .with("max ms", latencies.max())
            .with("memory MiB", memory as f64 / 1024.0)
            .with("binary MiB", size / f64::from(1 << 20));
        report.push(row);
    }
    Ok(())
}

/// Returns the names of the built functions.
fn functions(programs: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(programs).with_context(|| format!("reading {}", programs.display()))?;
    let files = entries.flatten().filter(|entry| entry.path().is_file());
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    let is_function = |name: &String| {
        name.starts_with("messenger-") && !name.contains('.') && !OTHERS.contains(&name.as_str())
    };
    let mut functions: Vec<_> = names.filter(is_function).collect();
    functions.sort();
    Ok(functions)
}

/// Starts a function. Returns the time until it answered `/livez`, and its memory in KiB then.
async fn start(stack: &Stack, program: &str) -> Result<(Duration, u64)> {
    let server = Server::local(free_port()?);
    let launch = stack.launch(program).env("PORT", server.address.port().to_string());
    let request = server.request("GET", "/livez", &[], "");
    let begin = Instant::now();
    let process = Process::spawn(launch)?;
    while begin.elapsed() < TIMEOUT {
        if call_once(&server, &request).await.is_ok_and(|response| response.status == 200) {
            return Ok((begin.elapsed(), Usage::of(&[process.id()]).memory));
        }
        if let Some(status) = process.status() {
            bail!("{program} ended ({status}):\n{}", process.last_lines());
        }
        sleep(Duration::from_micros(200)).await;
    }
    bail!("{program} did not answer within {TIMEOUT:?}")
}
