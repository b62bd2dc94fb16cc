//! `cargo xtask profile`: where the router's time goes under a load, or who allocates in it: as a flame graph and as text.
use std::process::ExitCode;

use anyhow::{Result, ensure};
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Output};

use crate::cargo::{cargo, programs, succeeds};

const BUILD: [&str; 9] = [
    "build",
    "--profile",
    "profiling",
    "--package",
    "messenger-bench",
    "--package",
    "messenger-router",
    "--package",
    "messenger-worker",
];
/// Stacks are walked by frame pointers: cheap enough not to disturb what is measured.
const FLAGS: &str = "-Cforce-frame-pointers=yes";
const ALLOCATIONS: &str = "--allocations";

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    load: Load,
    /// Who allocates, with heaptrack (installed with apt-get if it is missing), instead of where the time goes
    #[arg(long)]
    allocations: bool,
    /// More for messenger-bench, such as `--seconds 10`; for http, `--only messages/send` or another load
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    more: Vec<String>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Load {
    /// Events to 1 000 streams, as fast as possible
    Fanout,
    /// `notifications/send?wait=0` by 16 clients, or another endpoint: see `--only`
    Http,
}

impl Load {
    fn name(self) -> &'static str {
        match self {
            Self::Fanout => "fanout",
            Self::Http => "http",
        }
    }

    /// What messenger-bench is told unless something else is said.
    fn usual(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Fanout => &[],
            Self::Http => &[("--only", "notifications/send?wait=0"), ("--clients", "16")],
        }
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    ensure!(succeeds(cargo(BUILD).env("RUSTFLAGS", FLAGS)).await?, "the build failed");
    let target = programs(true).await?.with_file_name("profiling");
    let results = workspace().join("target/profile");
    let bench = Launch::new("messenger-bench", target.join("messenger-bench"))
        .args(told(&arguments, &results.display().to_string()))
        .output(Output::Inherited);
    Ok(if succeeds(bench).await? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What messenger-bench is told. Options of ours may also stand among those that are for it.
fn told(arguments: &Arguments, results: &str) -> Vec<String> {
    let allocations = arguments.allocations || arguments.more.iter().any(|said| said == ALLOCATIONS);
    let mut told = vec![arguments.load.name(), if allocations { "--heaptrack" } else { "--perf" }, results];
    for (option, value) in arguments.load.usual() {
        let says = |said: &String| {
            said.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        if !arguments.more.iter().any(says) {
            told.extend([option, value]);
        }
    }
    let rest = arguments.more.iter().map(String::as_str).filter(|said| *said != ALLOCATIONS);
    told.into_iter().chain(rest).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(load: Load, said: &[&str]) -> String {
        let more = said.iter().map(ToString::to_string).collect();
        super::told(&Arguments { load, allocations: false, more }, "DIR").join(" ")
    }

    #[test]
    fn what_is_said_takes_the_place_of_what_is_usual() {
        assert_eq!(told(Load::Http, &[]), "http --perf DIR --only notifications/send?wait=0 --clients 16");
        let said = told(Load::Http, &["--only", "messages/send", "--clients=4"]);
        assert_eq!(said, "http --perf DIR --only messages/send --clients=4");
    }

    #[test]
    fn allocations_may_be_asked_for_at_the_end() {
        let said = told(Load::Fanout, &["--seconds", "2", "--allocations"]);
        assert_eq!(said, "fanout --heaptrack DIR --seconds 2");
    }
}
