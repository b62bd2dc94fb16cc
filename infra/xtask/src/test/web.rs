//! The checks of the web messenger, and its journeys in a browser.
use anyhow::Result;

use super::Outcome;
use crate::count::Count;
use crate::web::{self, Journeys};

/// Checks the pages, without a service.
pub(super) async fn check() -> Result<Outcome> {
    Ok(Outcome { name: "web check", passed: web::check().await?, count: Count::default() })
}

/// Checks the pages, and runs all journeys on a service that is started for them.
pub(super) async fn check_with_journeys() -> Result<Vec<Outcome>> {
    let checked = check().await?;
    let (passed, count) = web::run_journeys(&Journeys::of(Vec::new(), false)).await?;
    Ok(vec![checked, Outcome { name: "web journeys", passed, count }])
}
