//! `peers`: nchan, a naive server, the floor and the service, one after the other and again, at the same load.
use std::time::Duration;

use anyhow::{Context, Result};
use messenger_bench::http::Server;
use messenger_bench::options::Common;
use messenger_bench::report::Report;
use messenger_bench::stack::{Stack, data_directory};
use messenger_bench::system::TEXT;
use messenger_devstack::free_port;
use messenger_devstack::process::{Launch, Process};
use messenger_devstack::service::Service;
use serde_json::json;

use crate::fanout::measure;
use crate::options::{Peers, StreamLoad};
use crate::target::{Publication, Target};
use crate::{naive, nchan};

const NCHAN: &str = "nchan";
const OURS: &str = "ours";
const PACED: &str = "1000 streams, 20 msg/s";
const PACED_5000: &str = "5000 streams, 20 msg/s";
const FAST: &str = "1000 streams, as fast as possible";
const IDLE: &str = "10000 streams, idle";

pub(crate) async fn run(options: &Peers, common: &Common) -> Result<Report> {
    let mut report = Report::new("peers");
    for round in 1..=options.rounds {
        for peer in &options.who {
            for (scenario, load) in scenarios(options) {
                // Each scenario gets a new process, whose memory holds nothing of the scenario before.
                let name = row(peer, scenario, round);
                eprintln!("{name}");
                if peer == OURS {
                    let stack = Stack::start(&common.programs()?, false).await?;
                    let target = Target::of_service(&stack.system, options.users, 1).await?;
                    measure(target, &load, &name, &mut report).await?;
                } else {
                    let (_service, target) = start(peer, options).await?;
                    measure(target, &load, &name, &mut report).await?;
                }
            }
        }
    }
    check(options.rounds, &mut report);
    Ok(report)
}

fn row(peer: &str, scenario: &str, round: usize) -> String {
    format!("{peer}: {scenario}, round {round}")
}

fn scenarios(options: &Peers) -> Vec<(&'static str, StreamLoad)> {
    let fast = StreamLoad {
        connections: 1000,
        rate: None,
        publishers: options.publishers,
        window: options.window,
        seconds: options.seconds,
        idle_seconds: 0.5,
    };
    let paced = StreamLoad { rate: Some(20.0), publishers: 4, ..fast };
    let idle = StreamLoad {
        connections: 10_000,
        rate: Some(1.0),
        publishers: 1,
        seconds: 3.0,
        idle_seconds: options.idle_seconds,
        ..fast
    };
    let all =
        [(PACED, paced), (PACED_5000, StreamLoad { connections: 5000, ..paced }), (FAST, fast), (IDLE, idle)];
    let only = options.only.as_deref().unwrap_or_default();
    all.into_iter().filter(|(name, _)| name.contains(only)).collect()
}

/// Starts a peer: nchan, or this program itself.
async fn start(peer: &str, options: &Peers) -> Result<(Service, Target)> {
    let port = free_port()?;
    let (launch, stream, publish) = if peer == NCHAN {
        let directory = data_directory()?.join(NCHAN);
        (nchan::launch(&directory, port, options.nchan_workers).await?, nchan::STREAM, nchan::PUBLISH)
    } else {
        let program = std::env::current_exe().context("looking for this program")?;
        let launch = Launch::new(peer, program).args([peer, "--port", &port.to_string()]);
        (launch, naive::STREAM, naive::PUBLISH)
    };
    let service =
        Service::start(launch, format!("http://127.0.0.1:{port}/livez"), Duration::from_secs(20)).await?;
    let pid = service.process().map(Process::id).context("the peer has just ended")?;
    // The event that the service sends for the same notification.
    let body = json!({
        "type": "notification", "notification_id": 123_456, "source_app": "bench", "event_type": "machine.alarm",
        "title": "{title}", "body": TEXT, "priority": "normal", "target_type": "general", "room_id": null,
    });
    let target = Target {
        server: Server::local(port),
        streams: vec![stream.to_owned()],
        bystanders: 0,
        publication: Publication { path: publish.to_owned(), headers: Vec::new(), body: body.to_string() },
        sends_position: false,
        pids: vec![pid],
        database_pids: Vec::new(),
    };
    Ok((service, target))
}

/// Checks the goals for which both sides were measured, with the mean of all rounds.
fn check(rounds: usize, report: &mut Report) {
    let mean = |report: &Report, peer: &str, scenario: &str, figure: &str| {
        let figures = (1..=rounds).map(|round| {
            let cost = report.figure(&format!("{}, cost", row(peer, scenario, round)), figure);
            report.figure(&row(peer, scenario, round), figure).or(cost)
        });
        Some(figures.sum::<Option<f64>>()? / rounds as f64)
    };
    let both = |report: &Report, scenario: &str, figure: &str| {
        Some((mean(report, OURS, scenario, figure)?, mean(report, NCHAN, scenario, figure)?))
    };
    if let Some((ours, nchan)) = both(report, PACED, "last p50 ms") {
        report.at_most(format!("{PACED}: last receipt p50, ours − nchan, ms"), ours - nchan, 5.0);
    }
    if let Some((ours, nchan)) = both(report, PACED_5000, "p99 ms") {
        report.at_most(format!("{PACED_5000}: p99, ours / nchan"), ours / nchan, 1.0);
    }
    if let Some((ours, nchan)) = both(report, FAST, "events/s") {
        report.at_least(format!("{FAST}: delivered events a second, ours / nchan"), ours / nchan, 3.0);
    }
    if let Some(longest) = mean(report, OURS, FAST, "max ms") {
        report.at_most(format!("{FAST}: the last receipt after the call, longest, s"), longest / 1000.0, 1.0);
    }
    for (figure, name, bound) in [("KiB/stream", "KiB for each", 12.0), ("idle cpu %", "% of a core", 2.0)] {
        if let Some(value) = mean(report, OURS, IDLE, figure) {
            report.at_most(format!("{IDLE}: {name}"), value, bound);
        }
    }
    if let Some(rate) = mean(report, OURS, IDLE, "connects/s") {
        report.at_most(format!("{IDLE}: seconds to connect all"), 10_000.0 / rate, 2.0);
    }
}
