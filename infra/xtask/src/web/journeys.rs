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
/// The program that extracts the text of printed pages.
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
    service
        .during(async |running| {
            let pattern = journeys.filter.join("|");
            let homeserver = running.homeserver_process.map(|id| id.to_string()).unwrap_or_default();
            let script = toolchain
                .script(journeys.script)
                .arg(format!("--grep={pattern}"))
                .env("MESSENGER_URL", &running.url)
                .env("MESSENGER_SERVICE_TOKEN", &running.service_token)
                .env("MATRIX_AS_TOKEN", &running.bot_token)
                .env("DATABASE_URL", &running.database_url)
                .env("HOMESERVER_PROCESS", homeserver)
                .env("LONG", if journeys.is_long { "1" } else { "" });
            run_and_count(script.env("CHROMIUM", &chromium)).await
        })
        .await
}
