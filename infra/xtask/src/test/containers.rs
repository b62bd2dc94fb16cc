//! The proof of the containers, as a group of tests.
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Error, Result, anyhow, bail};
use messenger_devstack::{Engine, OutputQueue};
use tokio::time::timeout;

use super::Outcome;
use crate::compose;
use crate::count::Count;
use crate::terminal::Style;

/// The name of the group.
const NAME: &str = "compose test";
/// The time limit for an engine that runs containers: the installation of its packages and base images.
const ENGINE_LIMIT: Duration = Duration::from_mins(8);

/// Whether the containers are tested.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Containers {
    /// Fail where no engine can be started
    Required,
    /// Count the tests as skipped where no engine can be started
    IfPossible,
}

/// Proves the containers with the built programs. Returns an error after an interruption before their start.
pub(super) async fn check(
    programs: &Path,
    containers: Containers,
    interrupted: impl Future<Output = ()>,
) -> Result<Outcome> {
    let mut interrupted = pin!(interrupted);
    let engine = tokio::select! {
        engine = working_engine() => engine,
        () = &mut interrupted => bail!("interrupted"),
    };
    let engine = match engine {
        Ok(engine) => engine,
        Err(reason) => {
            let tests = compose::count_tests().await.unwrap_or(1);
            return Ok(without_engine(containers, &reason, tests));
        }
    };
    Ok(match compose::prove(engine, programs, &[], interrupted).await {
        Ok(steps) => {
            let [passed, failed, skipped] = steps.counts();
            Outcome { name: NAME, passed: steps.passed(), count: Count { passed, failed, skipped } }
        }
        Err(error) => {
            OutputQueue::stderr().write(format!("{NAME}: {error:#}\n"));
            Outcome { name: NAME, passed: false, count: Count::default() }
        }
    })
}

async fn working_engine() -> Result<Engine> {
    let engine = timeout(ENGINE_LIMIT, compose::working_engine()).await;
    engine.unwrap_or_else(|_| Err(anyhow!("not ready within {ENGINE_LIMIT:?}")))
}

/// Prints the reason why there is no engine. All of these tests are skipped, or the group has failed.
fn without_engine(containers: Containers, reason: &Error, tests: u32) -> Outcome {
    let passed = containers == Containers::IfPossible;
    let (verdict, skipped) = if passed { ("SKIPPED", tests) } else { ("FAILED", 0) };
    let title = Style::of_stderr().red(&format!("{NAME} {verdict}: no engine runs containers here"));
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
}
