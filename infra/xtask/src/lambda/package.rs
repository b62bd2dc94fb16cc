//! `cargo xtask lambda package`: a zip file of each function, as `sam deploy` uploads it.
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use messenger_devstack::CargoLambda;
use messenger_devstack::process::{Launch, Process};

use super::build::{self, build};
use super::functions::folder;

/// The package of a function, in its folder.
pub(super) const PACKAGE: &str = "package.zip";

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Package {
    #[command(flatten)]
    build: build::Build,
    /// A file that each package has as well, in /var/task, for example certificates of the database
    #[arg(long, value_name = "FILE")]
    include: Vec<PathBuf>,
}

pub(super) async fn run(options: &Package) -> Result<()> {
    let (cargo_lambda, names) = build(&options.build).await?;
    for name in &names {
        pack(&cargo_lambda, &folder(name), &options.include).await?;
    }
    build::print("Programs", &names, "bootstrap")?;
    build::print("Packages", &names, PACKAGE)
}

/// Zips the program in a folder, and other files, without their folders.
async fn pack(cargo_lambda: &CargoLambda, folder: &Path, include: &[PathBuf]) -> Result<()> {
    let package = folder.join(PACKAGE);
    if package.exists() {
        fs::remove_file(&package).with_context(|| format!("removing {}", package.display()))?;
    }
    let zip = Launch::new("zip", cargo_lambda.python())
        .args(["-m", "zipfile", "--create"])
        .arg(&package)
        .arg(folder.join("bootstrap"))
        .args(include);
    let zip = Process::spawn(zip)?;
    let status = zip.ended().await;
    ensure!(status.success(), "zipping {} failed ({status}):\n{}", package.display(), zip.last_lines());
    Ok(())
}
