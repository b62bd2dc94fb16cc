//! Programs that only Debian packages: found on the system, installed with apt where they are missing.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::process::{Launch, Output, Process, Sink};

/// Directories of server programs, which the `PATH` of a user often lacks.
const SERVER_PROGRAMS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A program, and the package that brings it.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// For example `nginx`.
    pub name: &'static str,
    /// For example `nginx`.
    pub package: &'static str,
}

impl Program {
    /// Returns where it is installed; `None` if it is not.
    pub fn path(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path)
            .chain(SERVER_PROGRAMS.iter().map(|place| Path::new(place).to_owned()));
        places.find_map(|place| Some(place.join(self.name)).filter(|program| program.is_file()))
    }
}

/// Installs the packages of all programs that are missing, in one go.
///
/// # Errors
/// When a program is missing and cannot be installed: the error names the command that installs all of them.
pub async fn ensure(programs: &[Program], progress: &Sink) -> Result<()> {
    let missing: Vec<_> = programs.iter().filter(|program| program.path().is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.iter().map(|program| program.package).collect::<Vec<_>>();
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if !rustix::process::geteuid().is_root() {
        let names = missing.iter().map(|program| program.name).collect::<Vec<_>>().join(", ");
        bail!("missing: {names}. Install them with `sudo {by_hand}`, or run this as root");
    }
    progress("apt-get update");
    apt(&["update", "-qq"], progress).await.with_context(|| by_hand.clone())?;
    progress(&by_hand);
    let install = ["install", "-y", "--no-install-recommends"];
    apt(&[&install, packages.as_slice()].concat(), progress).await.with_context(|| by_hand.clone())?;
    match missing.iter().find(|program| program.path().is_none()) {
        Some(program) => bail!("the package {} brings no program {}", program.package, program.name),
        None => Ok(()),
    }
}

async fn apt(arguments: &[&str], progress: &Sink) -> Result<()> {
    let narrate = progress.clone();
    let sink: Sink = Arc::new(move |line| {
        if ["Get:", "Unpacking ", "Setting up "].iter().any(|begin| line.starts_with(begin)) {
            narrate(line);
        }
    });
    let launch = Launch::new("apt-get", "apt-get")
        // Another process that installs something holds the lock for a while.
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output(Output::Lines(sink));
    let process = Process::spawn(launch)?;
    let status = process.ended().await;
    if !status.success() {
        bail!("apt-get failed ({status}):\n{}", process.tail());
    }
    Ok(())
}
