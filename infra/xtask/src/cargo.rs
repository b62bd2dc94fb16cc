//! Runs cargo, and reads its metadata of the workspace.
use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use messenger_devstack::home::workspace;
use messenger_devstack::process::{Launch, Output, Process};
use serde::Deserialize;

/// Returns `cargo` with these arguments, in the root of the workspace. It inherits the output of this
/// process.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Launch {
    let program = std::env::var_os("CARGO").unwrap_or("cargo".into());
    Launch::new("cargo", program).args(arguments).directory(workspace()).output(Output::Inherited)
}

/// Runs a command to its end. Returns whether it succeeded.
pub(crate) async fn succeeds(launch: Launch) -> Result<bool> {
    Ok(Process::spawn(launch)?.ended().await.success())
}

/// Returns the directory of built programs.
pub(crate) async fn programs(release: bool) -> Result<PathBuf> {
    let metadata = Metadata::ask(&["--no-deps"]).await?;
    Ok(metadata.target_directory.join(if release { "release" } else { "debug" }))
}

/// The output of `cargo metadata`.
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
    /// The registry; `None` for a package of this workspace.
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
    /// `dev` or `build`; `None` for an ordinary dependency.
    kind: Option<String>,
}

impl Node {
    fn ordinary_dependencies(&self) -> Vec<&str> {
        let ordinary = |dependency: &&Dependency| dependency.dep_kinds.iter().any(|kind| kind.kind.is_none());
        self.deps.iter().filter(ordinary).map(|dependency| dependency.pkg.as_str()).collect()
    }
}

impl Metadata {
    /// Runs `cargo metadata` with more arguments.
    pub(crate) async fn ask(more: &[&str]) -> Result<Self> {
        let program = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let mut command = tokio::process::Command::new(program);
        command.args(["metadata", "--format-version", "1"]).args(more).current_dir(workspace());
        let output = command.output().await.context("running cargo metadata")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).context("reading cargo metadata")
    }

    /// Returns the ids of each package's dependencies, without those of its tests.
    pub(crate) fn ordinary_dependencies(&self) -> BTreeMap<&str, Vec<&str>> {
        let nodes = self.resolve.iter().flat_map(|resolve| &resolve.nodes);
        nodes.map(|node| (node.id.as_str(), node.ordinary_dependencies())).collect()
    }
}
