//! The steps of the proof, with their times and results.
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;
use messenger_devstack::OutputQueue;
use tokio::time::Instant;

use super::runner::Tests;
use crate::terminal::Style;

/// The steps so far.
#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
    /// The tests of all steps.
    tests: Tests,
}

struct Row {
    title: &'static str,
    time: Duration,
    passed: bool,
    note: String,
}

impl Steps {
    /// Runs a step without which the others make no sense.
    pub(super) async fn run<T>(
        &mut self,
        title: &'static str,
        step: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let begin = Instant::now();
        let result = step.await;
        let note = result.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
        self.rows.push(Row { title, time: begin.elapsed(), passed: result.is_ok(), note });
        result
    }

    /// Runs a step of tests. The proof goes on if some fail.
    pub(super) async fn tests(
        &mut self,
        title: &'static str,
        step: impl Future<Output = Result<Tests>>,
    ) -> Result<()> {
        let begin = Instant::now();
        let tests = step.await?;
        let note =
            format!("{} passed, {} failed, {} skipped", tests.passed, tests.failed, tests.skipped.len());
        let passed = tests.succeeded && tests.failed == 0;
        self.rows.push(Row { title, time: begin.elapsed(), passed, note });
        self.tests.passed += tests.passed;
        self.tests.failed += tests.failed;
        self.tests.skipped.extend(tests.skipped);
        Ok(())
    }

    /// Returns whether all steps passed.
    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.passed)
    }

    /// Returns the numbers of tests that passed, failed and were skipped.
    pub(crate) fn counts(&self) -> [u32; 3] {
        [self.tests.passed, self.tests.failed, u32::try_from(self.tests.skipped.len()).unwrap_or(u32::MAX)]
    }

    pub(super) fn print(&self) {
        let style = Style::of_stdout();
        let mut text = format!("\n{}\n", style.bold("Steps"));
        for row in &self.rows {
            let verdict = if row.passed { style.green("ok    ") } else { style.red("FAILED") };
            let time = format!("{:>6.1} s", row.time.as_secs_f64());
            let _ = writeln!(text, "  {verdict} {time}  {} {}", row.title, style.dim(&row.note));
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
