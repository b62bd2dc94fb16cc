//! The proof of the containers, as a group of tests.
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Error, Result, anyhow, bail, ensure};
use messenger_devstack::{Engine, OutputQueue};
use tokio::time::{Instant, timeout_at};

use super::Outcome;
use crate::compose;
use crate::count::Count;
use crate::terminal::Style;

/// The name of the group.
const NAME: &str = "compose test";
/// The time limit for an engine that runs containers: the installation of its packages and base images.
const ENGINE_LIMIT: Duration = Duration::from_mins(8);
/// The time for the rest when the proof is stopped: counting its tests, and deleting the containers.
const CLEANUP: Duration = Duration::from_mins(1);
/// The shortest time for an engine and a proof with which a start is worth the while.
const SHORTEST: Duration = Duration::from_mins(3);

/// Whether the containers are tested.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Containers {
    /// Fail where no engine can be started, or where no time is left
    Required,
    /// Count the tests as skipped where no engine can be started, or that no time is left for
    IfPossible,
}

/// Proves the containers with the built programs until `end`. Returns an error after an interruption before their
/// start.
pub(super) async fn check(
    programs: &Path,
    containers: Containers,
    end: Option<Instant>,
    interrupted: impl Future<Output = ()>,
) -> Result<Outcome> {
    let end = end.map(|end| end.checked_sub(CLEANUP).unwrap_or(end));
    let mut interrupted = pin!(interrupted);
    let engine = tokio::select! {
        engine = working_engine(end) => engine,
        () = &mut interrupted => bail!("interrupted"),
    };
    let engine = match engine {
        Ok(engine) => engine,
        Err(reason) => {
            let tests = compose::count_tests(&[]).await.unwrap_or(1);
            return Ok(without_engine(containers, &reason, tests));
        }
    };
    Ok(match compose::prove(engine, programs, &[], end, interrupted).await {
        Ok(steps) => {
            let is_whole = containers == Containers::IfPossible || !steps.is_stopped();
            let [passed, failed, skipped] = steps.counts();
            let count = Count { passed, failed, skipped };
            Outcome { name: NAME, passed: is_whole && steps.passed(), count }
        }
        Err(error) => {
            OutputQueue::stderr().write(format!("{NAME}: {error:#}\n"));
            Outcome { name: NAME, passed: false, count: Count::default() }
        }
    })
}

async fn working_engine(end: Option<Instant>) -> Result<Engine> {
    let now = Instant::now();
    ensure!(end.is_none_or(|end| now + SHORTEST < end), "no time is left for the containers");
    let limit = now + ENGINE_LIMIT;
    let limit = end.map_or(limit, |end| end.min(limit));
    let engine = timeout_at(limit, compose::working_engine()).await;
    engine.unwrap_or_else(|_| Err(anyhow!("the engine was not ready within {:?}", now.elapsed())))
}

/// Prints the reason why there are no containers. All of these tests are skipped, or the group has failed.
fn without_engine(containers: Containers, reason: &Error, tests: u32) -> Outcome {
    let passed = containers == Containers::IfPossible;
    let (verdict, skipped) = if passed { ("SKIPPED", tests) } else { ("FAILED", 0) };
    let title = Style::of_stderr().red(&format!("{NAME} {verdict}: the containers were not started"));
    OutputQueue::stderr().write(format!("\n{title}\n{reason:#}\n"));
    Outcome { name: NAME, passed, count: Count { skipped, ..Count::default() } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_engine_the_tests_are_skipped_only_if_that_is_allowed() {
        let reason = anyhow!("unshare: Operation not permitted");
        let skipped = without_engine(Containers::IfPossible, &reason, 7);
        assert!(skipped.passed && skipped.count == Count { passed: 0, failed: 0, skipped: 7 });
        let failed = without_engine(Containers::Required, &reason, 7);
        assert!(!failed.passed && failed.count == Count::default());
    }

    #[tokio::test]
    async fn no_engine_is_started_when_no_time_is_left() {
        let error = working_engine(Some(Instant::now() + SHORTEST)).await.unwrap_err().to_string();
        assert_eq!(error, "no time is left for the containers");
    }
}
