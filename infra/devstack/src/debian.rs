//! Programs from Debian packages: found on the system, else installed with apt.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::home::{Home, Lock};
use crate::process::{Launch, Output, Process, Sink};

/// Directories of server programs, which the `PATH` of a user often lacks.
const SERVER_PROGRAMS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A program and its Debian package.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The program, for example `nginx`.
    pub name: &'static str,
    /// The package, for example `nginx`.
    pub package: &'static str,
}

impl Program {
    /// Returns the path of the program; `None` if it is not installed.
    pub fn path(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut directories = std::env::split_paths(&path)
            .chain(SERVER_PROGRAMS.iter().map(|directory| Path::new(directory).to_owned()));
        directories.find_map(|directory| Some(directory.join(self.name)).filter(|program| program.is_file()))
    }
}

/// Installs the packages of all missing programs with one command.
///
/// # Errors Returns an error with the command that installs all packages if a program is missing and cannot
/// be installed.
pub async fn ensure(programs: &[Program], progress: &Sink) -> Result<()> {
    let is_missing = |program: &&Program| program.path().is_none();
    if !programs.iter().any(|program| is_missing(&program)) {
        return Ok(());
    }
    // apt-get waits for the lock of an installation, but not for that of an update.
    let _lock = Lock::take(&Home::default().path("apt.lock"), progress).await?;
    let missing: Vec<_> = programs.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.iter().map(|program| program.package).collect::<Vec<_>>();
    let command = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if !rustix::process::geteuid().is_root() {
        let names = missing.iter().map(|program| program.name).collect::<Vec<_>>().join(", ");
        bail!("missing: {names}. Install them with `sudo {command}`, or run this as root");
    }
    progress("apt-get update");
    apt(&["update", "-qq"], progress).await.with_context(|| command.clone())?;
    progress(&command);
    let install = ["install", "-y", "--no-install-recommends"];
    apt(&[&install, packages.as_slice()].concat(), progress).await.with_context(|| command.clone())?;
    match missing.iter().find(|program| program.path().is_none()) {
        Some(program) => bail!("the package {} has no program {}", program.package, program.name),
        None => Ok(()),
    }
}

async fn apt(arguments: &[&str], progress: &Sink) -> Result<()> {
    let progress = progress.clone();
    let sink: Sink = Arc::new(move |line| {
        if ["Get:", "Unpacking ", "Setting up "].iter().any(|begin| line.starts_with(begin)) {
            progress(line);
        }
    });
    let launch = Launch::new("apt-get", "apt-get")
        // Another installation may hold the lock.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Servers are not started by their packages (invoke-rc.d(8)).
        .env("RUNLEVEL", "1")
        .output(Output::Lines(sink));
    let process = Process::spawn(launch)?;
    let status = process.ended().await;
    if !status.success() {
        bail!("apt-get failed ({status}):\n{}", process.last_lines());
    }
    Ok(())
}
