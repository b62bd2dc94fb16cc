//! The journeys of the front end in Chromium, on a service with a homeserver that is started for them.
use anyhow::{Context, Result};
use messenger_devstack::Home;
use messenger_devstack::debian::{self, Program};
use messenger_devstack::port::free_port;

use crate::count::{Count, run_and_count};
use crate::pages::{Toolchain, ensure_built};
use crate::step::Step;
use crate::up;

const CHROMIUM: Program = Program { name: "chromium", package: "chromium" };
/// Reads the text of printed pages.
const PDFTOTEXT: Program = Program { name: "pdftotext", package: "poppler-utils" };

/// The journeys to run.
pub(crate) struct Journeys {
    /// The script of `package.json`.
    script: &'static str,
    filter: Vec<String>,
    is_long: bool,
}

impl Journeys {
    /// Returns those whose name contains one of these texts; all if there is none.
    pub(crate) fn of(filter: Vec<String>, is_long: bool) -> Self {
        Self { script: "journeys", filter, is_long }
    }

    /// Returns those that take pictures of the pages, and whose name contains one of these texts.
    pub(crate) fn pictures(filter: Vec<String>) -> Self {
        Self { script: "shots", filter, is_long: false }
    }
}

/// Runs the journeys on an empty service. Returns whether all passed, and their number.
pub(crate) async fn run(journeys: &Journeys) -> Result<(bool, Count)> {
    ensure_built().await?;
    let toolchain = Toolchain::ensure().await?;
    let step = Step::begin("Chromium");
    debian::ensure(&[CHROMIUM, PDFTOTEXT], &step.progress()).await?;
    let chromium = CHROMIUM.path().context("chromium is installed, but not found")?;
    step.done(&chromium.display().to_string());
    let service = up::Temporary::new(free_port()?, Home::default().path("web-journeys"))?;
    let bot_token = service.bot_token().to_owned();
    service
        .during(async |url, token| {
            let pattern = journeys.filter.join("|");
            let script = toolchain.script(journeys.script).arg(format!("--grep={pattern}"));
            let script = script.env("MESSENGER_URL", url).env("MESSENGER_SERVICE_TOKEN", token);
            let script = script.env("MATRIX_AS_TOKEN", &bot_token);
            let script = script.env("LONG", if journeys.is_long { "1" } else { "" });
            run_and_count(script.env("CHROMIUM", &chromium)).await
        })
        .await
}
