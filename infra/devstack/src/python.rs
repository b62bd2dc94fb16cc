//! Python packages in virtual environments below [`Home`], each installed once and whole.
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

use crate::home::{Home, Lock};
use crate::process::{Launch, Output, Process, Sink};

/// What a virtual environment holds.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What people are told, for example `Synapse 1.163.2`.
    pub title: String,
    /// The arguments of `pip install`.
    pub arguments: Vec<String>,
    /// The version of every package, as `pip freeze` writes it; empty: whatever pip finds.
    pub constraints: String,
    /// How many packages that makes, for the progress; 0 when unknown.
    pub packages: usize,
    /// Identifies the content: when it changes, everything is installed anew.
    pub stamp: String,
}

/// An installed virtual environment.
#[derive(Clone, Debug)]
pub struct Environment(PathBuf);

impl Environment {
    /// Installs what is wanted as `name` below `home`, unless it is there. Processes that ask at once wait for one.
    pub async fn ensure(home: &Home, name: &str, wanted: &Wanted, progress: &Sink) -> Result<Self> {
        let environment = Self(home.path(name));
        if environment.holds(wanted) {
            return Ok(environment);
        }
        let _lock = Lock::take(&home.path(format!("{name}.lock")), progress).await?;
        if !environment.holds(wanted) {
            environment
                .install(wanted, progress)
                .await
                .with_context(|| format!("installing {}", wanted.title))?;
        }
        Ok(environment)
    }

    /// Its Python.
    pub fn python(&self) -> PathBuf {
        self.program("python")
    }

    /// A program that a package installed.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// A path inside the installed packages, for example a directory that a package brings.
    pub fn packaged(&self, below: &str) -> Result<PathBuf> {
        let versions =
            fs::read_dir(self.0.join("lib")).context("listing the Python versions of an environment")?;
        let mut places = versions.flatten().map(|entry| entry.path().join("site-packages").join(below));
        places.find(|place| place.exists()).with_context(|| format!("no {below} in {}", self.0.display()))
    }

    fn stamp(&self) -> PathBuf {
        self.0.join("installed")
    }

    fn holds(&self, wanted: &Wanted) -> bool {
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == wanted.stamp) && self.python().exists()
    }

    async fn install(&self, wanted: &Wanted, progress: &Sink) -> Result<()> {
        if self.0.exists() {
            fs::remove_dir_all(&self.0).with_context(|| format!("removing {}", self.0.display()))?;
        }
        progress(&format!("{}: creating a virtual environment", wanted.title));
        self.create().await?;
        let constraints = self.0.join("constraints.txt");
        fs::write(&constraints, &wanted.constraints).context("writing the constraints")?;
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
            .args(&wanted.arguments)
            .output(Output::Lines(narrator(wanted, progress.clone())));
        complete(pip).await?;
        fs::write(self.stamp(), &wanted.stamp).context("marking the installation as whole")
    }

    async fn create(&self) -> Result<()> {
        let venv = Launch::new("python3 -m venv", "python3").args(["-m", "venv"]).arg(&self.0);
        complete(venv).await.context(
            "a virtual environment needs Python 3.10 or newer with venv and pip (Debian: apt-get install python3-venv)",
        )
    }
}

/// Runs a command to its end; the error holds what it wrote last.
async fn complete(launch: Launch) -> Result<()> {
    let process = Process::spawn(launch)?;
    let status = process.ended().await;
    if !status.success() {
        bail!("{} failed ({status}):\n{}", process.name(), process.tail());
    }
    Ok(())
}

/// Turns pip's output into one line of progress.
fn narrator(wanted: &Wanted, progress: Sink) -> Sink {
    let (title, packages) = (wanted.title.clone(), wanted.packages);
    let seen = AtomicUsize::new(0);
    Arc::new(move |line| {
        if let Some(package) = line.strip_prefix("Collecting ") {
            let count = seen.fetch_add(1, Ordering::Relaxed) + 1;
            let package = package.split([' ', '=', '<', '>', '!', '~', '[', ';']).next().unwrap_or(package);
            let of = if packages < count { String::new() } else { format!("/{packages}") };
            progress(&format!("installing {title}: {count}{of} {package}"));
        } else if line.starts_with("Installing collected packages") {
            progress(&format!("installing {title}: unpacking"));
        }
    })
}
