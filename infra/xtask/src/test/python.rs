//! The checks of the Python client, in a virtual environment of its own.
use std::path::PathBuf;

use anyhow::{Context, Result};
use messenger_devstack::Home;
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Output};
use messenger_devstack::python::{Environment, Requirements};

use super::{Outcome, Servers};
use crate::cargo::succeeds;
use crate::count::{Count, run_and_count};
use crate::step::Step;
use crate::terminal::Style;

/// Returns the directory of the client.
pub(super) fn client() -> PathBuf {
    workspace().join("shared/hub_messenger_client")
}

pub(super) async fn check(servers: &Servers) -> Result<Vec<Outcome>> {
    let environment = install().await?;
    let python = |arguments: &[&str]| {
        let launch = Launch::new("python", environment.python()).args(["-m"]).args(arguments);
        servers.configure(launch.directory(client()).output(Output::Inherited))
    };
    let mut outcomes = vec![
        outcome("ruff check", succeeds(python(&["ruff", "check"])).await?),
        outcome("mypy", succeeds(python(&["mypy", "--strict"])).await?),
    ];
    if client().join("scripts/unasync.py").exists() {
        let launch = Launch::new("unasync", environment.python()).args(["scripts/unasync.py", "--check"]);
        let current = succeeds(launch.directory(client()).output(Output::Inherited)).await?;
        outcomes.push(outcome("unasync", current));
    }
    let colour = if Style::of_stdout().is_coloured() { "--color=yes" } else { "--color=no" };
    let (passed, count) = run_and_count(python(&["pytest", colour])).await?;
    outcomes.push(Outcome { name: "pytest", passed, count });
    Ok(outcomes)
}

async fn install() -> Result<Environment> {
    let description = client().join("pyproject.toml");
    let requirements = Requirements {
        title: "the Python client's tools".to_owned(),
        arguments: vec!["--editable".to_owned(), format!("{}[dev]", client().display())],
        constraints: String::new(),
        package_count: 0,
        stamp: std::fs::read_to_string(&description).with_context(|| description.display().to_string())?,
    };
    let step = Step::begin("Python client");
    let environment =
        Environment::ensure(&Home::default(), "client-venv", &requirements, &step.progress()).await?;
    step.done("installed");
    Ok(environment)
}

fn outcome(name: &'static str, passed: bool) -> Outcome {
    Outcome { name, passed, count: Count::default() }
}
