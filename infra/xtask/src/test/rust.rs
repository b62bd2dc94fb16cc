//! The Rust tests of the whole workspace.
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use messenger_devstack::process::{Launch, Output, Process};

use super::{Arguments, Count, Outcome, Parts};
use crate::cargo::{cargo, succeeds};
use crate::terminal::Style;

/// Builds the programs that tests of the whole service run as they ship.
pub(super) async fn build() -> Result<bool> {
    succeeds(cargo(["build", "--workspace", "--bins"])).await
}

pub(super) async fn test(parts: &Parts, arguments: &Arguments) -> Result<Outcome> {
    let colour = if Style::of_stdout().is_coloured() { "--color=always" } else { "--color=never" };
    let launch = cargo(["test", "--workspace", "--no-fail-fast", colour, "--", colour])
        .args(&arguments.filter)
        .args(&arguments.further);
    let (passed, count) = counted(parts.told(launch)).await?;
    Ok(Outcome { name: "cargo test", passed, count })
}

/// The tests in which homeservers differ, on Conduit.
pub(super) async fn test_on_conduit(parts: &Parts, arguments: &Arguments) -> Result<Vec<Outcome>> {
    let runs = [
        ("the whole service on Conduit", vec!["-p", "messenger-tests"], vec![]),
        (
            "the adapter on Conduit",
            vec!["-p", "messenger-matrix", "-p", "messenger-devstack"],
            vec!["--ignored"],
        ),
    ];
    let mut outcomes = Vec::new();
    for (name, packages, options) in runs {
        let launch = cargo(["test", "--no-fail-fast"].into_iter().chain(packages).chain(["--"]))
            .args(options)
            .args(&arguments.filter)
            .args(&arguments.further);
        let (passed, count) = counted(parts.told(launch)).await?;
        outcomes.push(Outcome { name, passed, count });
    }
    Ok(outcomes)
}

/// Runs a command, shows what it writes, and counts the tests that it tells of.
pub(super) async fn counted(launch: Launch) -> Result<(bool, Count)> {
    let total = Arc::new(Mutex::new(Count::default()));
    let copy = Arc::clone(&total);
    let sink = move |line: &str| {
        println!("{line}");
        let mut total = copy.lock().unwrap_or_else(PoisonError::into_inner);
        *total = *total + Count::of_line(line);
    };
    let process = Process::spawn(launch.output(Output::Lines(Arc::new(sink))))?;
    let passed = process.ended().await.success();
    let count = *total.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((passed, count))
}
