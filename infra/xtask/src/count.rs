//! Counts tests by the last lines of the test programs.
use std::ops::Add;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use messenger_devstack::lock;
use messenger_devstack::process::{Launch, Output, Process};

/// The number of tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Count {
    /// Returns the numbers in the last line of a Rust test program (`test result: ok. 2 passed; 0 failed; …`)
    /// or of pytest (`=== 3 passed, 1 skipped in 0.1s ===`), or in the last lines of Playwright (`  3 passed
    /// (1.2m)`). Any other line counts nothing.
    pub(crate) fn of_line(line: &str) -> Self {
        let plain = without_colours(line);
        let is_last = plain.starts_with("test result: ") || plain.starts_with("==") && plain.ends_with("==");
        if !is_last && !is_of_playwright(&plain) {
            return Self::default();
        }
        let words: Vec<&str> = plain.split([' ', ';', ',', '=']).filter(|word| !word.is_empty()).collect();
        words
            .windows(2)
            .filter_map(|pair| Some((pair[0].parse().ok()?, pair[1])))
            .map(Self::of_kind)
            .fold(Self::default(), Add::add)
    }

    fn of_kind((number, kind): (u32, &str)) -> Self {
        let mut count = Self::default();
        match kind {
            "passed" | "xpassed" => count.passed = number,
            "failed" | "error" | "errors" => count.failed = number,
            "ignored" | "skipped" | "xfailed" => count.skipped = number,
            _ => {}
        }
        count
    }

    /// Returns whether there were tests and none ran.
    pub(crate) fn is_all_skipped(self) -> bool {
        self.skipped > 0 && self.passed == 0 && self.failed == 0
    }

    pub(crate) fn summary(self) -> String {
        match self {
            Self { passed: 0, failed: 0, skipped: 0 } => String::new(),
            Self { passed, failed: 0, skipped: 0 } => format!("{passed} passed"),
            Self { passed, failed, skipped } => {
                format!("{passed} passed, {failed} failed, {skipped} skipped")
            }
        }
    }
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// Returns whether this is one of the last lines of Playwright: a number and one word, with the time or without.
fn is_of_playwright(plain: &str) -> bool {
    let Some(line) = plain.strip_prefix("  ") else { return false };
    let mut words = line.split(' ');
    let is_number = words.next().is_some_and(|word| word.parse::<u32>().is_ok());
    let is_kind = words.next().is_some_and(|word| ["passed", "failed", "skipped"].contains(&word));
    is_number && is_kind && words.next().is_none_or(|time| time.starts_with('(')) && words.next().is_none()
}

/// Returns the text without ANSI sequences (`ESC [ … letter`).
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default();
    let others =
        parts.map(|part| part.split_once(|end: char| end.is_ascii_alphabetic()).map_or("", |(_, text)| text));
    std::iter::once(first).chain(others).collect()
}

/// Runs a command, prints its output, and counts the tests in it.
pub(crate) async fn run_and_count(launch: Launch) -> Result<(bool, Count)> {
    let total = Arc::new(Mutex::new(Count::default()));
    let copy = Arc::clone(&total);
    let sink = move |line: &str| {
        println!("{line}");
        let mut total = lock(&copy);
        *total = *total + Count::of_line(line);
    };
    let process = Process::spawn(launch.output(Output::Lines(Arc::new(sink))))?;
    let passed = process.ended().await.success();
    let count = *lock(&total);
    Ok((passed, count))
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn last_lines_are_counted_with_and_without_colours() {
        let rust =
            "test result: ok. 5 passed; 1 failed; 2 ignored; 0 measured; 9 filtered out; finished in 0.20s";
        assert_eq!(Count::of_line(rust), Count { passed: 5, failed: 1, skipped: 2 });
        let coloured = "test result: \x1b[32mok\x1b[0m. 5 passed; 0 failed; 0 ignored";
        assert_eq!(Count::of_line(coloured), Count { passed: 5, failed: 0, skipped: 0 });
        let pytest = "======= \x1b[31m1 failed\x1b[0m, 20 passed, 3 skipped, 2 errors in 1.20s =======";
        assert_eq!(Count::of_line(pytest), Count { passed: 20, failed: 3, skipped: 3 });
    }

    #[test]
    fn the_last_lines_of_playwright_are_counted_together() {
        let lines =
            ["  2 failed", "    [journeys] › a.ts:1:1 › 3 passed", "  1 skipped", "  12 passed (1.2m)"];
        let total =
            lines.into_iter().map(Count::of_line).fold(Count::default(), |total, count| total + count);
        assert_eq!(total, Count { passed: 12, failed: 2, skipped: 1 });
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(Count::of_line("test it_sends_3 passed ... ok"), Count::default());
        assert_eq!(Count::of_line("I saw 3 passed, then 4 failed"), Count::default());
    }
}
