//! The result of a command: a table for people, JSON for machines, and a comparison with an earlier result.
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::latency::Latencies;
use crate::machine::Machine;
use crate::options::Common;

/// A smaller relative change is not reported.
const TOLERANCE: f64 = 0.02;

/// The result of one command.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    what: String,
    machine: Machine,
    rows: Vec<Row>,
    goals: Vec<Goal>,
    /// The reasons why the run does not count; empty if it does.
    refusals: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

/// Named figures of one load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    name: String,
    figures: Vec<(String, f64)>,
}

/// A bound for a measured value.
#[derive(Debug, Serialize, Deserialize)]
struct Goal {
    name: String,
    value: f64,
    bound: f64,
    /// Whether the bound is an upper one.
    at_most: bool,
}

impl Goal {
    fn is_met(&self) -> bool {
        if self.at_most { self.value <= self.bound } else { self.value >= self.bound }
    }

    fn text(&self) -> String {
        let verdict = if self.is_met() { "met    " } else { "NOT MET" };
        let sign = if self.at_most { '≤' } else { '≥' };
        format!("  {verdict}  {}: {} {sign} {}", self.name, short(self.value), short(self.bound))
    }
}

impl Row {
    /// Returns a row without figures.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), figures: Vec::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, figure: &str, value: f64) -> Self {
        self.figures.push((figure.to_owned(), value));
        self
    }

    /// Adds quantiles and maximum.
    #[must_use]
    pub fn latencies(self, latencies: &Latencies) -> Self {
        self.with("p50 ms", latencies.p50())
            .with("p90 ms", latencies.quantile(0.9))
            .with("p99 ms", latencies.quantile(0.99))
            .with("max ms", latencies.max())
    }

    /// Returns the figures that differ from an earlier row.
    fn changes(&self, earlier: &Self) -> String {
        let change = |(name, value): &(String, f64)| {
            let (_, before) = earlier.figures.iter().find(|(earlier, _)| earlier == name)?;
            let ratio = value / before;
            let differs = if *before == 0.0 { *value != 0.0 } else { (ratio - 1.0).abs() > TOLERANCE };
            differs.then(|| format!("{name} {} → {} (× {ratio:.2})", short(*before), short(*value)))
        };
        let changes: Vec<_> = self.figures.iter().filter_map(change).collect();
        if changes.is_empty() { "as before".to_owned() } else { changes.join(", ") }
    }
}

impl Report {
    /// Begins a report of the command `what`, with a description of this machine.
    pub fn new(what: &str) -> Self {
        let (what, machine) = (what.to_owned(), Machine::current());
        eprintln!("{}", machine.text());
        Self { what, machine, rows: Vec::new(), goals: Vec::new(), refusals: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row, and prints it as progress.
    pub fn push(&mut self, row: Row) {
        eprintln!("{}", table(&[&row]).join("\n"));
        self.rows.push(row);
    }

    /// Adds a remark.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Refuses the run, and prints the reason.
    pub fn refuse(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        eprintln!("REFUSED: {reason}");
        self.refusals.push(reason);
    }

    /// Returns a figure of a row; `None` if the row was not measured.
    pub fn figure(&self, row: &str, figure: &str) -> Option<f64> {
        let row = self.rows.iter().find(|measured| measured.name == row)?;
        row.figures.iter().find(|(name, _)| name == figure).map(|(_, value)| *value)
    }

    /// Adds a goal with an upper bound.
    pub fn at_most(&mut self, name: impl Into<String>, value: f64, bound: f64) {
        self.goals.push(Goal { name: name.into(), value, bound, at_most: true });
    }

    /// Adds a goal with a lower bound.
    pub fn at_least(&mut self, name: impl Into<String>, value: f64, bound: f64) {
        self.goals.push(Goal { name: name.into(), value, bound, at_most: false });
    }

    /// Prints the report; compares and stores it if the options say so. Returns a failure if it was refused.
    pub fn finish(&self, options: &Common) -> Result<ExitCode> {
        println!("{}", self.text());
        if let Some(file) = &options.compare {
            println!("{}", self.comparison(&Self::read(file)?));
        }
        if let Some(file) = &options.json {
            self.write(file)?;
        }
        Ok(if self.refusals.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn text(&self) -> String {
        let mut text = vec![format!("\n{}\n{}\n", self.what, self.machine.text())];
        text.extend(table(&self.rows.iter().collect::<Vec<_>>()));
        text.extend((!self.goals.is_empty()).then(|| "\ngoals".to_owned()));
        text.extend(self.goals.iter().map(Goal::text));
        text.extend(self.notes.iter().map(|note| format!("\n{note}")));
        text.extend(self.refusals.iter().map(|reason| format!("\nREFUSED: {reason}")));
        text.join("\n")
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report", path.display()))
    }

    /// Returns the changes since an earlier report, row by row.
    fn comparison(&self, earlier: &Self) -> String {
        let mut text = vec![format!("\ncompared with: {}", earlier.machine.text())];
        text.extend(self.rows.iter().map(|row| {
            let before = earlier.rows.iter().find(|before| before.name == row.name);
            let changes = before.map_or_else(|| "new".to_owned(), |before| row.changes(before));
            format!("  {}: {changes}", row.name)
        }));
        text.join("\n")
    }
}

/// Returns the lines of a table. Adjacent rows with the same figures share their head.
fn table(rows: &[&Row]) -> Vec<String> {
    let name_width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut heads: Vec<&str> = Vec::new();
    for row in rows {
        let names: Vec<&str> = row.figures.iter().map(|(name, _)| name.as_str()).collect();
        let width = |name: &str| name.chars().count().max(8);
        if names != heads {
            let titles = names.iter().map(|name| format!("  {name:>width$}", width = width(name)));
            lines.push(format!("{:name_width$}{}", "", titles.collect::<String>()));
            heads = names;
        }
        let values = row.figures.iter();
        let values = values.map(|(name, value)| format!("  {:>width$}", short(*value), width = width(name)));
        lines.push(format!("{:name_width$}{}", row.name, values.collect::<String>()));
    }
    lines
}

/// Formats a value with three digits.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 1.0 => format!("{value:.3}"),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_at_its_bound() {
        let mut report = Report::new("test");
        report.at_most("ratio", 1.0, 1.0);
        report.at_least("rate", 2.9, 3.0);
        assert_eq!(report.goals.iter().map(Goal::is_met).collect::<Vec<_>>(), [true, false]);
        assert!(report.text().contains("NOT MET  rate: 2.90 ≥ 3.00"), "{}", report.text());
    }

    #[test]
    fn a_stored_report_is_read_and_compared_row_by_row() {
        let file = std::env::temp_dir().join(format!("bench-{}.json", std::process::id()));
        let mut before = Report::new("test");
        before.push(Row::new("send").with("p50 ms", 2.0).with("errors", 0.0));
        before.write(&file).unwrap();
        let before = Report::read(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        let mut now = Report::new("test");
        now.push(Row::new("send").with("p50 ms", 1.0).with("errors", 0.0));
        now.push(Row::new("poll").with("p50 ms", 1.0));
        let text = now.comparison(&before);
        assert!(text.contains("send: p50 ms 2.00 → 1.00 (× 0.50)\n  poll: new"), "{text}");
    }

    #[test]
    fn a_refused_run_is_a_failure() {
        let (mut report, options) = (Report::new("test"), Common::default());
        assert_eq!(report.finish(&options).unwrap(), ExitCode::SUCCESS);
        report.refuse("3 events were lost");
        assert_eq!(report.finish(&options).unwrap(), ExitCode::FAILURE);
    }
}
