//! The proof of the containers, as a group of tests.
use std::path::Path;

use messenger_devstack::OutputQueue;

use super::{Count, Outcome};
use crate::compose;

/// Proves the containers with the built programs. Without an engine, and where none can be made, this is skipped
/// with the reason.
pub(super) async fn check(programs: &Path, interrupted: impl Future<Output = ()>) -> Option<Outcome> {
    if let Some(reason) = compose::obstacle().await {
        OutputQueue::stdout().write(format!("\ncompose test is skipped: {reason}\n"));
        return None;
    }
    let (passed, count) = match compose::prove(programs, &[], interrupted).await {
        Ok(steps) => {
            let [passed, failed, skipped] = steps.counts();
            (steps.passed(), Count { passed, failed, skipped })
        }
        Err(error) => {
            OutputQueue::stderr().write(format!("compose test: {error:#}\n"));
            (false, Count::default())
        }
    };
    Some(Outcome { name: "compose test", passed, count })
}
