//! What is promised of the endpoints, as far as both sides were measured.
use super::subject::Subject;
use super::{BARE, BARE_HISTORY, FLOOR, SEND, SEND_DURABLE, rooms};
use crate::inserts;
use crate::load::Outcome;
use crate::report::Report;

pub(super) fn check(subjects: &[Subject], clients: &[usize], report: &mut Report) {
    let find = |name: &str, wanted: usize| {
        let number = clients.iter().position(|clients| *clients == wanted)?;
        subjects.iter().find(|subject| subject.name.ends_with(name))?.outcomes.get(number)
    };
    let p50 = |outcome: &Outcome| outcome.latencies.quantile(0.5);
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
    if let (Some(ours), Some(bare)) = (find(SEND, most), find(BARE, most)) {
        let ratio = ours.per_second() / bare.per_second();
        report.at_least(format!("notifications/send, {most} clients: throughput / bare PUT"), ratio, 0.9);
    }
    if let (Some(ours), Some(inserts)) = (find(SEND_DURABLE, most), find(inserts::NAME, most)) {
        let ratio = ours.per_second() / inserts.per_second();
        report.at_least(format!("{SEND_DURABLE}, {most} clients: throughput / inserts"), ratio, 0.4);
    }
    let (few, many) = (rooms::list(rooms::LISTS[0]), rooms::list(rooms::LISTS[2]));
    for (name, bound) in [(SEND_DURABLE, 2.0), ("users/me", 0.3), (&few, 1.0), (&many, 5.0)] {
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
