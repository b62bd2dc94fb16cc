//! `cargo xtask lint`: format, lints, and the rules of the house that no compiler knows.
mod deny;
mod first_line;
mod layers;

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo::{Metadata, cargo, succeeds};
use crate::terminal::Style;

const CLIPPY: [&str; 7] = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];

/// Runs all checks, so that one look shows everything that is wrong.
pub(crate) async fn run() -> Result<ExitCode> {
    let format = succeeds(cargo(["fmt", "--all", "--check"])).await?;
    let clippy = succeeds(cargo(CLIPPY)).await?;
    let deny = deny::passes().await?;
    let layers = told("layers", &layers::violations(&Metadata::ask(&["--locked"]).await?));
    let first_line = told("first line", &first_line::violations()?);
    let results = [
        ("format", format),
        ("clippy", clippy),
        ("deny", deny),
        ("layers", layers),
        ("first line", first_line),
    ];
    let passed = results.iter().all(|(_, passed)| *passed);
    println!("lint: {}", results.iter().map(described).collect::<Vec<_>>().join(", "));
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the rule is kept; says where it is not.
fn told(rule: &str, violations: &[String]) -> bool {
    for violation in violations {
        eprintln!("{} {rule}: {violation}", Style::of_stderr().red("error:"));
    }
    violations.is_empty()
}

fn described((check, passed): &(&str, bool)) -> String {
    let style = Style::of_stdout();
    if *passed {
        format!("{check} {}", style.green("ok"))
    } else {
        format!("{check} {}", style.red("FAILED"))
    }
}
