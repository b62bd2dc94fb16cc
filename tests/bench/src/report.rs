//! What a measurement came to: a table for people, JSON for machines, and a comparison with an earlier one.
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::latency::Latencies;
use crate::machine::Machine;

/// A change smaller than this is not worth a line.
const SAME: f64 = 0.02;

/// The result of one command.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    what: String,
    machine: Machine,
    rows: Vec<Row>,
    goals: Vec<Goal>,
    /// Why the run is no good; empty: it is.
    refusals: Vec<String>,
    #[serde(default)]
    notes: Vec<String>,
}

/// One measured thing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    name: String,
    figures: Vec<(String, f64)>,
}

/// A ratio that was promised.
#[derive(Debug, Serialize, Deserialize)]
struct Goal {
    name: String,
    value: f64,
    bound: f64,
    /// Whether the value must not be above the bound; else not below.
    at_most: bool,
}

impl Goal {
    fn is_met(&self) -> bool {
        if self.at_most { self.value <= self.bound } else { self.value >= self.bound }
    }
}

impl Row {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), figures: Vec::new() }
    }

    #[must_use]
    pub(crate) fn with(mut self, figure: &str, value: f64) -> Self {
        self.figures.push((figure.to_owned(), value));
        self
    }

    #[must_use]
    pub(crate) fn latencies(self, latencies: &Latencies) -> Self {
        self.with("p50 ms", latencies.quantile(0.5))
            .with("p90 ms", latencies.quantile(0.9))
            .with("p99 ms", latencies.quantile(0.99))
            .with("max ms", latencies.max())
    }

    pub(crate) fn get(&self, figure: &str) -> Option<f64> {
        self.figures.iter().find(|(name, _)| name == figure).map(|(_, value)| *value)
    }
}

impl Report {
    pub(crate) fn new(what: &str) -> Self {
        let what = what.to_owned();
        let machine = Machine::here();
        eprintln!("{}", machine.text());
        Self { what, machine, rows: Vec::new(), goals: Vec::new(), refusals: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Row) {
        eprintln!("{}", lines(&[&row]).join("\n"));
        self.rows.push(row);
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn refuse(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        eprintln!("REFUSED: {reason}");
        self.refusals.push(reason);
    }

    /// A goal whose value must not be above the bound.
    pub(crate) fn at_most(&mut self, name: impl Into<String>, value: f64, bound: f64) {
        self.goals.push(Goal { name: name.into(), value, bound, at_most: true });
    }

    /// A goal whose value must not be below the bound.
    pub(crate) fn at_least(&mut self, name: impl Into<String>, value: f64, bound: f64) {
        self.goals.push(Goal { name: name.into(), value, bound, at_most: false });
    }

    pub(crate) fn is_good(&self) -> bool {
        self.refusals.is_empty()
    }

    /// The report for people.
    pub(crate) fn text(&self) -> String {
        let mut text = vec![format!("\n{}\n{}\n", self.what, self.machine.text())];
        text.extend(lines(&self.rows.iter().collect::<Vec<_>>()));
        if !self.goals.is_empty() {
            text.push("\ngoals".to_owned());
        }
        for goal in &self.goals {
            let verdict = if goal.is_met() { "met    " } else { "NOT MET" };
            let sign = if goal.at_most { '≤' } else { '≥' };
            text.push(format!(
                "  {verdict}  {}: {} {sign} {}",
                goal.name,
                short(goal.value),
                short(goal.bound)
            ));
        }
        text.extend(self.notes.iter().map(|note| format!("\n{note}")));
        text.extend(self.refusals.iter().map(|reason| format!("\nREFUSED: {reason}")));
        text.join("\n")
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report", path.display()))
    }

    /// What changed since an earlier report, row by row.
    pub(crate) fn compared(&self, earlier: &Self) -> String {
        let mut text = vec![format!("\ncompared with: {}", earlier.machine.text())];
        for row in &self.rows {
            let Some(before) = earlier.rows.iter().find(|before| before.name == row.name) else {
                text.push(format!("  {}: new", row.name));
                continue;
            };
            let changes: Vec<String> =
                row.figures.iter().filter_map(|figure| change(figure, before)).collect();
            let changes = if changes.is_empty() { "as before".to_owned() } else { changes.join(", ") };
            text.push(format!("  {}: {changes}", row.name));
        }
        text.join("\n")
    }
}

fn change((name, value): &(String, f64), before: &Row) -> Option<String> {
    let before = before.get(name)?;
    let ratio = value / before;
    let differs = if before == 0.0 { *value != 0.0 } else { (ratio - 1.0).abs() > SAME };
    differs.then(|| format!("{name} {} → {} (× {ratio:.2})", short(before), short(*value)))
}

/// A table: rows with the same figures share their heads.
fn lines(rows: &[&Row]) -> Vec<String> {
    let name_width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let mut lines = Vec::new();
    let mut heads: Vec<&str> = Vec::new();
    for row in rows {
        let names: Vec<&str> = row.figures.iter().map(|(name, _)| name.as_str()).collect();
        if names != heads {
            let titles: Vec<String> =
                names.iter().map(|name| format!("{name:>width$}", width = width(name))).collect();
            lines.push(format!("{:name_width$}  {}", "", titles.join("  ")));
            heads = names;
        }
        let values =
            row.figures.iter().map(|(name, value)| format!("{:>width$}", short(*value), width = width(name)));
        lines.push(format!("{:name_width$}  {}", row.name, values.collect::<Vec<_>>().join("  ")));
    }
    lines
}

fn width(name: &str) -> usize {
    name.chars().count().max(8)
}

/// Three digits are as many as a measurement has.
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
    fn a_report_is_read_back_and_compared_row_by_row() {
        let directory = std::env::temp_dir().join(format!("bench-{}.json", std::process::id()));
        let mut before = Report::new("test");
        before.push(Row::new("send").with("p50 ms", 2.0).with("errors", 0.0));
        before.write(&directory).unwrap();
        let before = Report::read(&directory).unwrap();
        std::fs::remove_file(directory).unwrap();
        let mut now = Report::new("test");
        now.push(Row::new("send").with("p50 ms", 1.0).with("errors", 0.0));
        now.push(Row::new("poll").with("p50 ms", 1.0));
        let text = now.compared(&before);
        assert!(text.contains("send: p50 ms 2.00 → 1.00 (× 0.50)\n  poll: new"), "{text}");
    }

    #[test]
    fn a_refused_run_is_not_good() {
        let mut report = Report::new("test");
        assert!(report.is_good());
        report.refuse("3 events were lost");
        assert!(!report.is_good());
    }
}
