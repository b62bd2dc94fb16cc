//! `cargo xtask lint`: format, clippy, licences, and the rules of this repository that no compiler checks.
mod alerts;
mod circles;
mod comments;
mod containers;
mod deny;
mod first_line;
mod floors;
mod layers;
mod modules;
mod paths;
mod retired;
mod rust;
mod source;

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo::{Metadata, cargo, succeeds};
use crate::terminal::Style;
use crate::{lambda, licenses, openapi};

const CLIPPY: [&str; 7] = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];

/// Runs all checks, so that one run shows every violation.
pub(crate) async fn run() -> Result<ExitCode> {
    let format = succeeds(cargo(["fmt", "--all", "--check"])).await?;
    let clippy = succeeds(cargo(CLIPPY)).await?;
    let deny = deny::passes().await?;
    let openapi = openapi::is_current().await?;
    let licenses = licenses::are_current().await?;
    let sources = source::read_all()?;
    let containers = containers::are_accepted(&sources).await?;
    let lambda = lambda::template::is_accepted().await?;
    let results = [
        ("format", format),
        ("clippy", clippy),
        ("deny", deny),
        ("openapi", openapi),
        ("licences", licenses),
        ("layers", report("layers", &layers::violations(&Metadata::ask(&["--locked"]).await?))),
        ("first line", report("first line", &first_line::violations(&sources))),
        ("comments", report("comments", &comments::violations(&sources))),
        ("paths", report("paths", &paths::violations(&sources))),
        ("retired words", report("retired words", &retired::violations(&sources)?)),
        ("floors", report("floors", &floors::violations(&sources))),
        ("circles", report("circles", &circles::violations(&sources))),
        ("alerts", report("alerts", &alerts::violations(&sources)?)),
        ("lambda", lambda),
        ("containers", report("containers", &containers::violations(&sources)?) && containers),
    ];
    let passed = results.iter().all(|(_, passed)| *passed);
    println!("lint: {}", results.iter().map(summary).collect::<Vec<_>>().join(", "));
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the violations of a rule. Returns whether there are none.
fn report(rule: &str, violations: &[String]) -> bool {
    for violation in violations {
        eprintln!("{violation} {}", Style::of_stderr().dim(&format!("({rule})")));
    }
    violations.is_empty()
}

fn summary((check, passed): &(&str, bool)) -> String {
    let style = Style::of_stdout();
    if *passed {
        format!("{check} {}", style.green("ok"))
    } else {
        format!("{check} {}", style.red("FAILED"))
    }
}
