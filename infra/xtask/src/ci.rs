//! `cargo xtask ci`: lint and test, as `.ci/run` runs them.
use std::process::ExitCode;

use anyhow::Result;

use crate::{lint, test};

pub(crate) async fn run() -> Result<ExitCode> {
    let linted = lint::run().await?;
    let tested = test::run(test::Arguments::default()).await?;
    Ok(if linted == ExitCode::SUCCESS { tested } else { linted })
}
