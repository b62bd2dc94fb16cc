//! The tests of event streams with other SSE libraries, browsers and proxies.
use std::path::PathBuf;

use anyhow::{Context, Result};
use messenger_devstack::Home;
use messenger_devstack::debian::{self, Program};
use messenger_devstack::home::workspace;
use messenger_devstack::node::Node;
use messenger_devstack::process::{Launch, Output};
use messenger_devstack::python::{Environment, Requirements};

use super::{Outcome, Servers};
use crate::cargo::succeeds;
use crate::count::{Count, run_and_count};
use crate::step::Step;
use crate::terminal::Style;

/// The proxies and the browser, which are Debian packages.
const PROGRAMS: [Program; 3] = [
    Program { name: "nginx", package: "nginx" },
    Program { name: "caddy", package: "caddy" },
    Program { name: "chromium", package: "chromium" },
];

fn directory() -> PathBuf {
    workspace().join("tests/sse_clients")
}

pub(super) async fn check(servers: &Servers) -> Result<Vec<Outcome>> {
    let (environment, node) = install().await?;
    let python = |arguments: &[&str]| {
        let launch = Launch::new("python", environment.python()).args(["-m"]).args(arguments);
        let launch = launch.directory(directory()).env("MESSENGER_NODE", node.program());
        servers.configure(launch.output(Output::Inherited))
    };
    let ruff = succeeds(python(&["ruff", "check"])).await?;
    let colour = if Style::of_stdout().is_coloured() { "--color=yes" } else { "--color=no" };
    let (passed, count) = run_and_count(python(&["pytest", colour])).await?;
    Ok(vec![
        Outcome { name: "SSE clients: ruff check", passed: ruff, count: Count::default() },
        Outcome { name: "SSE clients: pytest", passed, count },
    ])
}

async fn install() -> Result<(Environment, Node)> {
    let requirements = directory().join("requirements.txt");
    let requirements = Requirements {
        title: "SSE clients".to_owned(),
        arguments: vec!["--requirement".to_owned(), requirements.display().to_string()],
        constraints: String::new(),
        package_count: 0,
        stamp: std::fs::read_to_string(&requirements).with_context(|| requirements.display().to_string())?,
    };
    let step = Step::begin("SSE clients");
    let (home, progress) = (Home::default(), step.progress());
    let environment = Environment::ensure(&home, "sse-clients-venv", &requirements, &progress).await?;
    let node = Node::of(&environment)?;
    node.ensure_packages(&directory(), &home, &progress).await?;
    debian::ensure(&PROGRAMS, &progress).await?;
    step.done("installed");
    Ok((environment, node))
}
