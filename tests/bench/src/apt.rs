//! Debian's packages that a measurement needs.
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Installs a package, if we may; says so.
pub(crate) fn install(package: &str) -> Result<()> {
    eprintln!("{package} is missing: apt-get install {package}");
    let installed = Command::new("apt-get")
        .args(["install", "-y", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("running apt-get")?;
    ensure!(installed.success(), "{package} could not be installed: run as root, or install it yourself");
    Ok(())
}
