//! The checks of the web messenger, and its journeys in a browser.
use anyhow::Result;

use super::Outcome;
use crate::count::Count;
use crate::web::{self, Journeys};

pub(super) async fn check() -> Result<Vec<Outcome>> {
    let checked = web::check().await?;
    let (passed, count) = web::run_journeys(&Journeys::of(Vec::new())).await?;
    Ok(vec![
        Outcome { name: "web check", passed: checked, count: Count::default() },
        Outcome { name: "web journeys", passed, count },
    ])
}
