//! Python packages in virtual environments below [`Home`]. Each environment is installed once.
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

use crate::home::{Home, Lock};
use crate::process::{Launch, Output, Process, Sink};

/// The packages of a virtual environment.
#[derive(Clone, Debug)]
pub struct Requirements {
    /// The name for messages, for example `Synapse 1.163.2`.
    pub title: String,
    /// The arguments of `pip install`.
    pub arguments: Vec<String>,
    /// The version of each package, as `pip freeze` writes it; empty for the newest versions.
    pub constraints: String,
    /// The number of packages, for messages of progress; 0 if unknown.
    pub package_count: usize,
    /// The identity of the content: if it changes, everything is installed again.
    pub stamp: String,
}

/// An installed virtual environment.
#[derive(Clone, Debug)]
pub struct Environment(PathBuf);

impl Environment {
    /// Installs the packages as `name` below `home`, if they are not installed. Concurrent callers wait for
    /// the first one.
    pub async fn ensure(
        home: &Home,
        name: &str,
        requirements: &Requirements,
        progress: &Sink,
    ) -> Result<Self> {
        let environment = Self(home.path(name));
        if environment.holds(requirements) {
            return Ok(environment);
        }
        let _lock = Lock::take(&home.path(format!("{name}.lock")), progress).await?;
        if !environment.holds(requirements) {
            environment
                .install(requirements, progress)
                .await
                .with_context(|| format!("installing {}", requirements.title))?;
        }
        Ok(environment)
    }

    /// Returns the path of its Python.
    pub fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// Returns the path of a program that a package installed.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// Returns the path of a file or directory of an installed package.
    pub fn packaged(&self, below: &str) -> Result<PathBuf> {
        let versions =
            fs::read_dir(self.0.join("lib")).context("listing the Python versions of an environment")?;
        let mut paths = versions.flatten().map(|entry| entry.path().join("site-packages").join(below));
        paths.find(|path| path.exists()).with_context(|| format!("no {below} in {}", self.0.display()))
    }

    fn stamp(&self) -> PathBuf {
        self.0.join("installed")
    }

    fn holds(&self, requirements: &Requirements) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == requirements.stamp)
            && self.python().exists()
    }

    async fn install(&self, requirements: &Requirements, progress: &Sink) -> Result<()> {
        if self.0.exists() {
            fs::remove_dir_all(&self.0).with_context(|| format!("removing {}", self.0.display()))?;
        }
        progress(&format!("{}: creating a virtual environment", requirements.title));
        self.create().await?;
        let constraints = self.0.join("constraints.txt");
        fs::write(&constraints, &requirements.constraints).context("writing the constraints")?;
        let pip = Launch::new("pip", self.python())
            .args([
                "-m",
                "pip",
                "install",
                "--no-input",
                "--disable-pip-version-check",
                "--progress-bar",
                "off",
            ])
            .arg("--constraint")
            .arg(constraints)
            .args(&requirements.arguments)
            .output(Output::Lines(pip_progress(requirements, progress.clone())));
        run_to_end(pip).await?;
        fs::write(self.stamp(), &requirements.stamp).context("marking the installation as complete")
    }

    async fn create(&self) -> Result<()> {
        let venv = Launch::new("python3 -m venv", "python3").args(["-m", "venv"]).arg(&self.0);
        run_to_end(venv).await.context(
            "a virtual environment needs Python 3.10 or newer with venv and pip (Debian: apt-get install python3-venv)",
        )
    }
}

/// Runs a command to its end. The error holds the last lines of its output.
async fn run_to_end(launch: Launch) -> Result<()> {
    let process = Process::spawn(launch)?;
    let status = process.ended().await;
    if !status.success() {
        bail!("{} failed ({status}):\n{}", process.name(), process.last_lines());
    }
    Ok(())
}

/// Returns a sink that turns the output of pip into messages of progress.
fn pip_progress(requirements: &Requirements, progress: Sink) -> Sink {
    let (title, total) = (requirements.title.clone(), requirements.package_count);
    let seen = AtomicUsize::new(0);
    Arc::new(move |line| {
        if let Some(package) = line.strip_prefix("Collecting ") {
            let count = seen.fetch_add(1, Ordering::Relaxed) + 1;
            let package = package.split([' ', '=', '<', '>', '!', '~', '[', ';']).next().unwrap_or(package);
            let of = if total < count { String::new() } else { format!("/{total}") };
            progress(&format!("installing {title}: {count}{of} {package}"));
        } else if line.starts_with("Installing collected packages") {
            progress(&format!("installing {title}: unpacking"));
        }
    })
}
