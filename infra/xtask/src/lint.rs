//! `cargo xtask lint`: format, lints, and the rules of the house that no compiler knows.
mod first_line;
mod layers;

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo::{Metadata, cargo, succeeds};
use crate::terminal::Style;

/// Runs all checks, so that one look shows everything that is wrong.
pub(crate) async fn run() -> Result<ExitCode> {
    let rules = [
        ("layers", layers::violations(&Metadata::ask(&[]).await?)),
        ("first line", first_line::violations()?),
    ];
    let format = succeeds(cargo(["fmt", "--all", "--check"])).await?;
    let clippy =
        succeeds(cargo(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
            .await?;
    for (rule, violations) in &rules {
        for violation in violations {
            eprintln!("{} {rule}: {violation}", Style::of_stderr().red("error:"));
        }
    }
    let kept = rules.iter().map(|(rule, violations)| (*rule, violations.is_empty()));
    let results: Vec<_> = [("format", format), ("clippy", clippy)].into_iter().chain(kept).collect();
    let passed = results.iter().all(|(_, passed)| *passed);
    println!("lint: {}", results.iter().map(described).collect::<Vec<_>>().join(", "));
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn described((check, passed): &(&str, bool)) -> String {
    let style = Style::of_stdout();
    if *passed {
        format!("{check} {}", style.green("ok"))
    } else {
        format!("{check} {}", style.red("FAILED"))
    }
}
