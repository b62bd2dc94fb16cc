//! The steps of the proof, with their times and results.
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use messenger_devstack::{OutputQueue, lock};
use tokio::time::Instant;

use super::runner::Tests;
use crate::terminal::Style;

/// The steps so far.
#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
    /// The step that runs; also that in which the proof was stopped.
    running: Option<Running>,
    /// The tests of all steps that have ended.
    tests: Tests,
    is_stopped: bool,
    /// The number of tests that no time was left for.
    left_out: u32,
}

struct Running {
    title: &'static str,
    begin: Instant,
    tests: Arc<Mutex<Tests>>,
}

struct Row {
    title: &'static str,
    time: Duration,
    passed: bool,
    note: String,
}

/// The tests of a step until now.
struct Counted {
    summary: String,
    failed: u32,
}

impl Counted {
    fn of(tests: &Mutex<Tests>) -> Self {
        let tests = lock(tests);
        Self { summary: tests.summary(), failed: tests.failed }
    }
}

impl Steps {
    /// Runs a step without which the others make no sense.
    pub(super) async fn run<T>(
        &mut self,
        title: &'static str,
        step: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.begin(title);
        let result = step.await;
        let note = result.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
        self.end(result.is_ok(), note);
        result
    }

    /// Runs a step of tests. The proof goes on if some fail.
    pub(super) async fn tests(
        &mut self,
        title: &'static str,
        step: impl AsyncFnOnce(Arc<Mutex<Tests>>) -> Result<bool>,
    ) -> Result<()> {
        let tests = self.begin(title);
        let succeeded = step(Arc::clone(&tests)).await?;
        let Counted { summary, failed } = Counted::of(&tests);
        self.end(succeeded && failed == 0, summary);
        Ok(())
    }

    /// Ends the proof before its end: of these tests, those that have not run are skipped. A test that has failed
    /// already stays failed.
    pub(super) fn stop(&mut self, total: u32, reason: &str) {
        if let Some(running) = &self.running {
            let Counted { summary, failed } = Counted::of(&running.tests);
            self.end(failed == 0, format!("{summary}; {reason}"));
        }
        let ended = self.tests.passed() + self.tests.failed + self.tests.skipped();
        self.is_stopped = true;
        self.left_out = total.saturating_sub(ended);
    }

    fn begin(&mut self, title: &'static str) -> Arc<Mutex<Tests>> {
        let tests = Arc::new(Mutex::new(Tests::default()));
        self.running = Some(Running { title, begin: Instant::now(), tests: Arc::clone(&tests) });
        tests
    }

    fn end(&mut self, passed: bool, note: String) {
        if let Some(Running { title, begin, tests }) = self.running.take() {
            self.rows.push(Row { title, time: begin.elapsed(), passed, note });
            self.tests.add(&lock(&tests));
        }
    }

    /// Returns whether all steps passed.
    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.passed)
    }

    /// Returns whether the proof was stopped before its end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Returns the numbers of tests that passed, failed and were skipped.
    pub(crate) fn counts(&self) -> [u32; 3] {
        [self.tests.passed(), self.tests.failed, self.tests.skipped().saturating_add(self.left_out)]
    }

    pub(super) fn print(&self) {
        let style = Style::of_stdout();
        let mut text = format!("\n{}\n", style.bold("Steps"));
        for row in &self.rows {
            let verdict = if row.passed { style.green("ok    ") } else { style.red("FAILED") };
            let time = format!("{:>6.1} s", row.time.as_secs_f64());
            let _ = writeln!(text, "  {verdict} {time}  {} {}", row.title, style.dim(&row.note));
        }
        if self.left_out > 0 {
            let _ = writeln!(text, "\n{}", style.red(&format!("{} tests were not run", self.left_out)));
        }
        if !self.tests.skipped.is_empty() {
            let _ = writeln!(text, "\n{}", style.bold("Tests that a deployment cannot run"));
        }
        for skipped in &self.tests.skipped {
            let _ = writeln!(text, "  {skipped}");
        }
        OutputQueue::stdout().write(text);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::timeout;

    use super::*;

    /// Returns the steps after one that has reported these lines, and was stopped before its end.
    async fn stopped_after(lines: &[&str]) -> Steps {
        let mut steps = Steps::default();
        let step = steps.tests("Tests", async |tests| {
            for line in lines {
                lock(&tests).count(line);
            }
            pending().await
        });
        assert!(timeout(Duration::from_millis(1), step).await.is_err(), "the step never ends");
        steps.stop(10, "no time is left");
        steps
    }

    #[tokio::test]
    async fn tests_that_no_time_was_left_for_are_skipped() {
        let steps = stopped_after(&["test a ... ok", "test b ... skipped: b: no database", "ok"]).await;
        assert!(steps.passed());
        assert_eq!(steps.counts(), [1, 0, 9]);
    }

    #[tokio::test]
    async fn a_test_that_failed_before_the_time_was_over_has_failed() {
        let steps = stopped_after(&["test a ... ok", "test b ... thread 'b' panicked", "FAILED"]).await;
        assert!(!steps.passed());
        assert_eq!(steps.counts(), [1, 1, 8]);
    }
}
