//! Running cargo, and asking it about the workspace.
use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Output, Process};
use serde::Deserialize;

/// `cargo` with these arguments, in the root of the workspace, its output where ours goes.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Launch {
    let program = std::env::var_os("CARGO").unwrap_or("cargo".into());
    Launch::new("cargo", program).args(arguments).directory(workspace()).output(Output::Inherited)
}

/// Runs a command to its end; whether it succeeded.
pub(crate) async fn succeeds(launch: Launch) -> Result<bool> {
    Ok(Process::spawn(launch)?.ended().await.success())
}

/// Where built programs lie.
pub(crate) async fn programs(release: bool) -> Result<PathBuf> {
    let metadata = Metadata::ask(&["--no-deps"]).await?;
    Ok(metadata.target_directory.join(if release { "release" } else { "debug" }))
}

/// What `cargo metadata` answers, as far as it is used.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    #[serde(default)]
    resolve: Option<Resolve>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    /// `None`: a package of this workspace.
    pub(crate) source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `None`: an ordinary dependency; else `dev` or `build`.
    kind: Option<String>,
}

impl Node {
    fn ordinary_dependencies(&self) -> Vec<&str> {
        let ordinary = |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
        self.deps.iter().filter(ordinary).map(|dependency| dependency.pkg.as_str()).collect()
    }
}

impl Metadata {
    pub(crate) async fn ask(more: &[&str]) -> Result<Self> {
        let program = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let mut command = tokio::process::Command::new(program);
        command.args(["metadata", "--format-version", "1"]).args(more).current_dir(workspace());
        let answer = command.output().await.context("running cargo metadata")?;
        ensure!(answer.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&answer.stderr));
        serde_json::from_slice(&answer.stdout).context("reading cargo metadata")
    }

    /// Which packages each package is built with (its tests aside), by id.
    pub(crate) fn ordinary_dependencies(&self) -> BTreeMap<&str, Vec<&str>> {
        let nodes = self.resolve.iter().flat_map(|resolve| &resolve.nodes);
        nodes.map(|node| (node.id.as_str(), node.ordinary_dependencies())).collect()
    }
}
