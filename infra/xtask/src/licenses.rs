//! `cargo xtask licenses`: the checked-in lists of licences that `functions/admin` serves. `--check` fails if one
//! is not that of its lock file.
mod front_end;
mod rust;

use std::process::ExitCode;

use anyhow::{Context, Result};
use messenger_devstack::home::workspace;
use serde::Serialize;

use crate::terminal::Style;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail if a list differs from its lock file
    #[arg(long)]
    check: bool,
}

/// A program or library of others, in the form of pip-licenses.
#[derive(Serialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
    version: String,
    license: String,
    #[serde(rename = "URL")]
    url: String,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    if arguments.check {
        return Ok(if are_current().await? { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    for (path, text) in lists().await? {
        std::fs::write(workspace().join(path), text).with_context(|| format!("writing {path}"))?;
        println!("wrote {path}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares the lists with the lock files, and reports those that differ. Returns whether none does.
pub(crate) async fn are_current() -> Result<bool> {
    let style = Style::of_stderr();
    let mut current = true;
    for (path, text) in lists().await? {
        if std::fs::read_to_string(workspace().join(path)).unwrap_or_default() != text {
            current = false;
            let rule = style.dim("(licences)");
            eprintln!("{path} differs from its lock file: write it with `cargo xtask licenses` {rule}");
        }
    }
    Ok(current)
}

/// Returns the path of each list with its text.
async fn lists() -> Result<[(&'static str, String); 2]> {
    Ok([
        ("functions/admin/licenses/rust.json", text(rust::licenses().await?)?),
        ("functions/admin/licenses/frontend.json", text(front_end::licenses()?)?),
    ])
}

/// Returns a list in JSON, sorted by name and version.
fn text(mut licenses: Vec<Component>) -> Result<String> {
    licenses.sort_unstable();
    licenses.dedup();
    Ok(serde_json::to_string_pretty(&licenses)? + "\n")
}
