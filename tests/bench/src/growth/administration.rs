//! The calls of administrators: their time with the most data, and a number of statements that does not grow.
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::call_once;
use crate::report::{Report, Row};
use crate::request::{Endpoint, Words, bearer};
use crate::stack::{METRICS_TOKEN, Stack};

/// The longest 95th percentile of a call, in milliseconds.
const P95_MAX: f64 = 200.0;
/// The counter of statements at `/metrics`.
const STATEMENTS: &str = "messenger_database_statements_total";

/// The figures of each call with one size of the data.
pub(super) type Point = Vec<Figures>;

/// The figures of one call.
pub(super) struct Figures {
    name: String,
    p95: f64,
    statements_per_call: f64,
}

/// Measures each call of an administrator.
pub(super) async fn measure(
    stack: &Stack,
    calls: &[Endpoint],
    name: &str,
    time: Duration,
    report: &mut Report,
) -> Result<Point> {
    let token = stack.system.token_of("chief", "admin", 1)?;
    let (mut point, mut row) = (Point::new(), Row::new(name));
    for call in calls {
        let load = call.load(&stack.system.server, &[bearer(&token)], &Words::new());
        // The first calls fill caches and prepare statements.
        load.run(1, Duration::from_millis(200)).await?;
        let before = statements(stack).await?;
        let outcome = load.run(1, time).await?;
        let statements = statements(stack).await? - before;
        if let Some(error) = &outcome.first_error {
            report.refuse(format!("{name}: {}: {} errors: {error}", call.name, outcome.errors));
        }
        let p95 = outcome.latencies.quantile(0.95);
        let statements_per_call = (statements / outcome.latencies.count().max(1) as f64).round();
        row = row.with(&format!("{} p95", call.name), p95);
        row = row.with(&format!("{} statements", call.name), statements_per_call);
        point.push(Figures { name: call.name.clone(), p95, statements_per_call });
    }
    report.push(row);
    Ok(point)
}

/// Checks the figures with the least and with the most data.
pub(super) fn check(least: &Point, most: &Point, report: &mut Report) {
    for (least, most) in least.iter().zip(most) {
        report.at_most(format!("{}: p95 in ms with the most data", most.name), most.p95, P95_MAX);
        report.at_most(
            format!("{}: statements of a call with the most data", most.name),
            most.statements_per_call,
            least.statements_per_call,
        );
    }
}

/// Returns the number of statements of the router so far.
async fn statements(stack: &Stack) -> Result<f64> {
    let server = &stack.system.server;
    let token = format!("Bearer {METRICS_TOKEN}");
    let response =
        call_once(server, &server.request("GET", "/metrics", &[("Authorization", &token)], "")).await?;
    let text = response.text();
    let line = text.lines().find(|line| line.starts_with(STATEMENTS)).context("no counter of statements")?;
    let value = line.rsplit(' ').next().unwrap_or_default();
    value.parse().with_context(|| format!("no number: {line}"))
}
