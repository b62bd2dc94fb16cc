//! `cargo xtask openapi`: the checked-in description of the HTTP interface, `docs/openapi.json`. `--check`
//! fails if it is not that of the code, and names each difference that breaks a client. `--fuzz` sends generated
//! requests to a running service.
mod breaking;
mod fuzz;

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use messenger_devstack::home::workspace;
use serde_json::Value;

use crate::terminal::Style;

const DOCUMENT: &str = "docs/openapi.json";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail if the file differs from the code, and name what breaks a client
    #[arg(long)]
    check: bool,
    /// Send generated requests to the running service at this address (`cargo xtask up`) and check its answers
    #[arg(long, value_name = "URL", conflicts_with = "check")]
    fuzz: Option<String>,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let passed = match arguments.fuzz {
        Some(url) => Some(fuzz::passes(url.trim_end_matches('/')).await?),
        None if arguments.check => Some(is_current().await?),
        None => None,
    };
    if let Some(passed) = passed {
        return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let text = of_the_code().await?;
    report_breaking(&checked_in().unwrap_or_default(), &serde_json::from_str(&text)?);
    std::fs::write(workspace().join(DOCUMENT), text).with_context(|| format!("writing {DOCUMENT}"))?;
    println!("wrote {DOCUMENT}");
    Ok(ExitCode::SUCCESS)
}

/// Compares the file with the code, and reports how they differ. Returns whether they are equal.
pub(crate) async fn is_current() -> Result<bool> {
    let text = of_the_code().await?;
    let code: Value = serde_json::from_str(&text)?;
    let file = checked_in()?;
    if file == code {
        return Ok(true);
    }
    report_breaking(&file, &code);
    let style = Style::of_stderr();
    eprintln!(
        "{DOCUMENT} differs from the code: write it with `cargo xtask openapi` {}",
        style.dim("(openapi)")
    );
    Ok(false)
}

fn report_breaking(old: &Value, new: &Value) {
    let style = Style::of_stderr();
    for change in breaking::changes(old, new) {
        eprintln!("{} {change}", style.red("breaks clients:"));
    }
}

fn checked_in() -> Result<Value> {
    let text = std::fs::read(workspace().join(DOCUMENT)).with_context(|| format!("reading {DOCUMENT}"))?;
    serde_json::from_slice(&text).with_context(|| format!("reading {DOCUMENT}"))
}

/// Returns the document of the router, which has all functions in it.
async fn of_the_code() -> Result<String> {
    let program = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = tokio::process::Command::new(program);
    command.args(["run", "--quiet", "--locked", "--package", "messenger-router", "--", "openapi"]);
    let output = command.current_dir(workspace()).output().await.context("running the router")?;
    ensure!(output.status.success(), "messenger-router openapi: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
