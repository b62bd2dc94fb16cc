//! The Rust tests of the whole workspace.
use anyhow::Result;

use super::{Arguments, Outcome, Servers, Shape};
use crate::cargo::{cargo, succeeds};
use crate::count::run_and_count;
use crate::terminal::Style;

/// Builds the programs of the service, which the tests of the whole service run.
pub(super) async fn build() -> Result<bool> {
    succeeds(cargo(["build", "--workspace", "--bins"])).await
}

pub(super) async fn test(servers: &Servers, arguments: &Arguments) -> Result<Outcome> {
    let colour = if Style::of_stdout().is_coloured() { "--color=always" } else { "--color=never" };
    let launch = cargo(["test", "--workspace", "--no-fail-fast", colour, "--", colour])
        .args(&arguments.filter)
        .args(&arguments.further);
    let (passed, count) = run_and_count(servers.configure(launch)).await?;
    Ok(Outcome { name: "cargo test", passed, count })
}

/// Runs the tests of the whole service in a shape.
pub(super) async fn test_in_shape(servers: &Servers, arguments: &Arguments, shape: Shape) -> Result<Outcome> {
    let (shape, name) = match shape {
        Shape::Router => ("router", "the whole service through the router"),
        Shape::Process => ("process", "the whole service as processes"),
        Shape::Lambda => ("lambda", "the whole service on the emulator of Lambda"),
    };
    let launch = cargo(["test", "--no-fail-fast", "--package", "messenger-tests", "--"])
        .args(&arguments.filter)
        .args(&arguments.further)
        .env("MESSENGER_TESTS_SHAPE", shape);
    let (passed, count) = run_and_count(servers.configure(launch)).await?;
    Ok(Outcome { name, passed, count })
}

/// Runs the tests of the whole service and of the Matrix adapter on Conduit.
pub(super) async fn test_on_conduit(servers: &Servers, arguments: &Arguments) -> Result<Vec<Outcome>> {
    let runs = [
        ("the whole service on Conduit", vec!["-p", "messenger-tests"], vec![]),
        (
            "the adapter on Conduit",
            vec![
                "-p",
                "messenger-matrix",
                "-p",
                "messenger-devstack",
                "--test",
                "homeserver",
                "--test",
                "conduit",
            ],
            vec!["--ignored"],
        ),
    ];
    let mut outcomes = Vec::new();
    for (name, packages, options) in runs {
        let launch = cargo(["test", "--no-fail-fast"].into_iter().chain(packages).chain(["--"]))
            .args(options)
            .args(&arguments.filter)
            .args(&arguments.further);
        let (passed, count) = run_and_count(servers.configure(launch)).await?;
        outcomes.push(Outcome { name, passed, count });
    }
    Ok(outcomes)
}
