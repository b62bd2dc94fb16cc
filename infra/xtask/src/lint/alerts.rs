//! Checks that alerting rules, their tests, the runbook and the dashboard fit together, and that they name
//! documented metrics only.
use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::source::Source;

const RULES: &str = "infra/observability/alerts.yml";
const TESTS: &str = "infra/observability/alerts_test.yml";
const DASHBOARD: &str = "infra/observability/dashboard.json";
const RUNBOOK: &str = "docs/runbook.md";
const METRICS: &str = "docs/metrics.md";

/// The beginnings of the names of metrics.
const PREFIXES: [&str; 2] = ["messenger_", "process_"];
/// The endings of the series of a histogram (Prometheus, "Metric types").
const SERIES: [&str; 3] = ["_bucket", "_sum", "_count"];
/// The parts of each alert, beside its expression.
const PARTS: [&str; 5] = ["for:", "labels: {severity:", "summary:", "description:", "runbook_url:"];

/// An alert with the lines of its rule.
struct Alert<'a> {
    name: &'a str,
    line: usize,
    lines: Vec<&'a str>,
}

/// Returns each violation as `path:line: message`.
pub(super) fn violations(sources: &[Source]) -> Result<Vec<String>> {
    let text = |path: &str| {
        let source = sources.iter().find(|source| source.path == path);
        source.map(|source| source.text.as_str()).with_context(|| format!("{path} is missing"))
    };
    let (alerts, tests, runbook) = (alerts(text(RULES)?), text(TESTS)?, text(RUNBOOK)?);
    let metrics = documented(text(METRICS)?);
    let mut found: Vec<_> = alerts.iter().flat_map(|alert| alert.violations(tests, runbook)).collect();
    found.extend(sections_without_alert(runbook, &alerts));
    for path in [RULES, TESTS, DASHBOARD, RUNBOOK] {
        found.extend(undocumented(path, text(path)?, &metrics));
    }
    Ok(found)
}

impl Alert<'_> {
    fn violations(&self, tests: &str, runbook: &str) -> Vec<String> {
        let Self { name, line, lines } = self;
        let has = |part: &str| lines.iter().any(|line| line.trim_start().starts_with(part));
        let missing = PARTS.into_iter().filter(|part| !has(part)).map(|part| format!("`{part}` is missing"));
        let anchor = format!("runbook_url: {RUNBOOK}#{}", name.to_lowercase());
        let checks = [
            (has(&anchor), format!("the alert has no `{anchor}`")),
            (has_line(runbook, &format!("## {name}")), format!("{RUNBOOK} has no section {name}")),
            (
                has_line(tests, &format!("- alertname: {name}")),
                format!("{TESTS} does not show that it fires"),
            ),
            (
                ends(tests, name),
                format!("{TESTS} does not show that it ends: `exp_alerts: []` after it fired"),
            ),
        ];
        let failed = checks.into_iter().filter(|(holds, _)| !holds).map(|(_, message)| message);
        missing.chain(failed).map(|message| format!("{RULES}:{line}: {name}: {message}")).collect()
    }
}

fn alerts(rules: &str) -> Vec<Alert<'_>> {
    let mut alerts: Vec<Alert<'_>> = Vec::new();
    for (number, line) in rules.lines().enumerate() {
        if let Some(name) = line.trim_start().strip_prefix("- alert: ") {
            alerts.push(Alert { name, line: number + 1, lines: Vec::new() });
        } else if let Some(alert) = alerts.last_mut() {
            alert.lines.push(line);
        }
    }
    alerts
}

fn has_line(text: &str, wanted: &str) -> bool {
    text.lines().any(|line| line.trim() == wanted)
}

/// Returns whether the tests expect no such alert after they expected one.
fn ends(tests: &str, alert: &str) -> bool {
    let fires = format!("- alertname: {alert}");
    let lines = tests.lines().map(str::trim).skip_while(|line| *line != fires);
    let quiet = format!("- {{alertname: {alert},");
    lines.into_iter().any(|line| line.starts_with(&quiet) && line.ends_with("exp_alerts: []}"))
}

/// Returns each section that has the form of an alert's section, and no alert.
fn sections_without_alert(runbook: &str, alerts: &[Alert<'_>]) -> Vec<String> {
    let headings = runbook.lines().enumerate().filter_map(|(number, line)| {
        let name = line.strip_prefix("## ").filter(|heading| heading.starts_with("Messenger"))?;
        Some((number + 1, name))
    });
    headings
        .filter(|(_, name)| alerts.iter().all(|alert| alert.name != *name))
        .map(|(line, name)| format!("{RUNBOOK}:{line}: {RULES} has no alert {name}"))
        .collect()
}

/// Returns the first columns of the tables of metrics.
fn documented(document: &str) -> BTreeSet<&str> {
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(name, _)| name).filter(|name| is_metric(name)).collect()
}

fn undocumented(path: &str, text: &str, metrics: &BTreeSet<&str>) -> Vec<String> {
    let lines = text.lines().enumerate();
    let named = lines.flat_map(|(number, line)| {
        let words = line.split(|next: char| !(next.is_ascii_alphanumeric() || next == '_'));
        words.filter(|word| is_metric(word)).map(move |word| (number + 1, word))
    });
    let is_known = |name: &str| {
        let mut bases = SERIES.into_iter().filter_map(|series| name.strip_suffix(series));
        metrics.contains(name) || bases.any(|base| metrics.contains(base))
    };
    named
        .filter(|(_, name)| !is_known(name))
        .map(|(line, name)| format!("{path}:{line}: {METRICS} has no metric {name}"))
        .collect()
}

fn is_metric(word: &str) -> bool {
    PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "- alert: MessengerAway\n  expr: messenger_up == 0\n  for: 1m\n  \
                        labels: {severity: critical}\n  summary: x\n  description: x\n  \
                        runbook_url: docs/runbook.md#messengeraway\n";
    const TEST: &str = "- alertname: MessengerAway\n  exp_alerts:\n\
                        - {alertname: MessengerAway, eval_time: 9m, exp_alerts: []}\n";
    const SECTION: &str = "# Runbook\n## First\n## MessengerAway\n";

    fn found(rules: &str, tests: &str, dashboard: &str, runbook: &str) -> Vec<String> {
        let metrics =
            "| `messenger_up` | gauge |\n| `messenger_seconds` | histogram |\n| `function` | label |\n";
        let sources =
            [(RULES, rules), (TESTS, tests), (DASHBOARD, dashboard), (RUNBOOK, runbook), (METRICS, metrics)];
        violations(&sources.map(|(path, text)| Source::new(path, text))).unwrap()
    }

    #[test]
    fn an_alert_with_all_its_parts_tests_and_section_passes() {
        let dashboard = "rate(messenger_seconds_bucket{function=\"rooms\"}[5m])";
        assert_eq!(found(RULE, TEST, dashboard, SECTION), [""; 0]);
    }

    #[test]
    fn an_alert_without_a_part_a_section_or_a_test_is_refused() {
        let at = "infra/observability/alerts.yml:1: MessengerAway:";
        let without_for = RULE.replace("  for: 1m\n", "");
        assert_eq!(found(&without_for, TEST, "", SECTION), [format!("{at} `for:` is missing")]);
        let elsewhere = RULE.replace("#messengeraway", "#first");
        let expected = format!("{at} the alert has no `runbook_url: docs/runbook.md#messengeraway`");
        assert_eq!(found(&elsewhere, TEST, "", SECTION), [expected]);
        assert_eq!(
            found(RULE, TEST, "", "## First"),
            [format!("{at} docs/runbook.md has no section MessengerAway")]
        );
        let untested = found(RULE, "", "", SECTION);
        assert!(untested.len() == 2 && untested[0].ends_with("does not show that it fires"), "{untested:?}");
        let fires_last: Vec<_> = TEST.lines().rev().collect();
        let endless = found(RULE, &fires_last.join("\n"), "", SECTION);
        assert!(endless.len() == 1 && endless[0].contains("does not show that it ends"), "{endless:?}");
    }

    #[test]
    fn a_section_without_an_alert_is_refused() {
        let runbook = format!("{SECTION}## MessengerGone\n");
        let expected = ["docs/runbook.md:4: infra/observability/alerts.yml has no alert MessengerGone"];
        assert_eq!(found(RULE, TEST, "", &runbook), expected);
    }

    #[test]
    fn a_metric_that_is_not_documented_is_refused() {
        let dashboard = "{\n\"expr\": \"sum(messenger_users) + process_start_time_seconds\"\n}";
        let at = "infra/observability/dashboard.json:2: docs/metrics.md has no metric";
        let expected = ["messenger_users", "process_start_time_seconds"].map(|name| format!("{at} {name}"));
        assert_eq!(found(RULE, TEST, dashboard, SECTION), expected);
    }
}
