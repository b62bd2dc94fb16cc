//! Goals of the endpoints, checked where both sides of a comparison were measured.
use super::Subject;
use crate::outcome::Outcome;
use crate::pgbench;
use crate::report::Report;

const SEND: &str = "notifications/send";
const SEND_DURABLE: &str = "notifications/send?wait=0";
const SEND_ALARMS: &str = "notifications/send?wait=0, of 1000 alarms";
const BARE: &str = "homeserver alone, PUT /send";
const BARE_HISTORY: &str = "homeserver alone, GET /messages";
const FLOOR: &str = "without us, insert and PUT /send";

pub(super) fn check(subjects: &[Subject], clients: &[usize], report: &mut Report) {
    let find = |name: &str, wanted: usize| {
        let number = clients.iter().position(|clients| *clients == wanted)?;
        subjects.iter().find(|subject| subject.name == name)?.outcomes.get(number)
    };
    let p50 = |outcome: &Outcome| outcome.latencies.p50();
    let most = clients.iter().copied().max().unwrap_or(1);
    if let (Some(ours), Some(bare)) = (find(SEND, 1), find(BARE, 1)) {
        report.at_most("notifications/send: p50 − bare PUT, ms", p50(ours) - p50(bare), 1.0);
        if let Some(floor) = find(FLOOR, 1) {
            report.note(format!(
                "of notifications/send − bare PUT, {:.2} ms are a durable insert of one row and its wake-ups, without us",
                p50(floor) - p50(bare)
            ));
        }
    }
    for (name, other, label, bound) in [
        (SEND, BARE, "bare PUT", 0.9),
        (SEND_DURABLE, pgbench::NAME, "inserts", 0.4),
        (SEND_ALARMS, SEND_DURABLE, "without alarm", 0.5),
    ] {
        if let (Some(ours), Some(other)) = (find(name, most), find(other, most)) {
            let ratio = ours.per_second() / other.per_second();
            report.at_least(format!("{name}, {most} clients: throughput / {label}"), ratio, bound);
        }
    }
    let bounds =
        [(SEND_DURABLE, 2.0), ("users/me", 0.3), ("rooms, a list of 10", 1.0), ("rooms, a list of 500", 5.0)];
    for (name, bound) in bounds {
        if let Some(ours) = find(name, 1) {
            report.at_most(format!("{name}, one client: p50, ms"), p50(ours), bound);
        }
    }
    for (name, bare) in [("messages/send", BARE), ("messages/history", BARE_HISTORY)] {
        if let (Some(ours), Some(alone)) = (find(name, 1), find(bare, 1)) {
            report.at_most(format!("{name}: p50 − {bare}, ms"), p50(ours) - p50(alone), 0.7);
        }
    }
}
