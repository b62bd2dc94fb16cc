//! `peers`: nchan, a naive server, the floor and ours, one after the other and again, at the same load.
use std::path::Path;

use anyhow::{Context, Result};
use messenger_devstack::free_port;
use messenger_devstack::process::{Launch, Output, Process};
use messenger_devstack::service::Service;
use std::time::Duration;

use crate::fanout::{self, Load, Outcome};
use crate::http::Server;
use crate::latency::Latencies;
use crate::options;
use crate::report::Report;
use crate::service::Users;
use crate::stack::{self, Stack};
use crate::target::{Publish, Target};
use crate::{naive, nchan};

const NCHAN: &str = "nchan";
const OURS: &str = "ours";

/// A running server, and how it is used.
struct Peer {
    target: Target,
    _service: Option<Service>,
    _stack: Option<Stack>,
}

/// A load that all of them get.
struct Scenario {
    name: String,
    load: Load,
}

pub(crate) async fn run(options: &options::Peers, report: &mut Report) -> Result<()> {
    let mut outcomes: Vec<(usize, String, Vec<Outcome>)> = Vec::new();
    let scenarios = scenarios(options);
    for round in 1..=options.rounds {
        for name in &options.who {
            for (number, scenario) in scenarios.iter().enumerate() {
                eprintln!("round {round}: {name}, {}", scenario.name);
                // Fresh each time: what a peer kept of the scenario before is not its memory of this one.
                let peer = Peer::start(name, options).await?;
                let outcome = fanout::run(&peer.target, &scenario.load).await?;
                let known = outcomes.iter_mut().find(|known| known.0 == number && known.1 == *name);
                match known {
                    Some((.., rounds)) => rounds.push(outcome),
                    None => outcomes.push((number, name.clone(), vec![outcome])),
                }
            }
        }
    }
    for (number, scenario) in scenarios.iter().enumerate() {
        for (_, name, rounds) in outcomes.iter().filter(|(of, ..)| *of == number) {
            let merged = Outcome::merged(rounds);
            merged.report(&format!("{name}: {}", scenario.name), report);
        }
    }
    goals(&scenarios, &outcomes, report);
    Ok(())
}

fn scenarios(options: &options::Peers) -> Vec<Scenario> {
    let fast = Load {
        connections: 1000,
        rate: None,
        publishers: options.publishers,
        window: options.window,
        warm_up: Duration::from_secs(1),
        duration: Duration::from_secs_f64(options.seconds),
        idle: Duration::from_millis(500),
    };
    let paced = Load { rate: Some(20.0), publishers: 4, ..fast };
    let nothing = Load { publishers: 1, rate: Some(1.0), duration: Duration::from_secs(3), ..fast };
    let idle = Duration::from_secs_f64(options.idle_seconds);
    let all = [
        ("1000 streams, 20 msg/s", paced),
        ("5000 streams, 20 msg/s", Load { connections: 5000, ..paced }),
        ("1000 streams, as fast as possible", fast),
        ("10000 streams, idle", Load { connections: 10_000, idle, ..nothing }),
    ];
    let scenario = |(name, load): (&str, Load)| Scenario { name: name.to_owned(), load };
    let wanted = |(name, _): &(&str, Load)| options.only.as_deref().is_none_or(|only| name.contains(only));
    all.into_iter().filter(wanted).map(scenario).collect()
}

impl Peer {
    async fn start(name: &str, options: &options::Peers) -> Result<Self> {
        if name == OURS {
            let stack = Stack::start(&options.common.programs()?, false).await?;
            let users = Users { per_tenant: options.users, tenants: 1 };
            let target = users.follow(&stack).await?;
            return Ok(Self { target, _service: None, _stack: Some(stack) });
        }
        let port = free_port()?;
        let service = match name {
            NCHAN => {
                nchan::install()?;
                nchan::start(&stack::place()?.join(NCHAN), port, options.nchan_workers).await?
            }
            _ => own(name, port).await?,
        };
        let pid = service.process().map(Process::id).context("it has just ended")?;
        let (stream, publish) =
            if name == NCHAN { (nchan::STREAM, nchan::PUBLISH) } else { (naive::STREAM, naive::PUBLISH) };
        let target = Target {
            server: Server::local(port),
            streams: vec![stream.to_owned()],
            bystanders: 0,
            publish: Publish::Bytes { path: publish.to_owned() },
            pids: vec![pid],
            database: Vec::new(),
        };
        Ok(Self { target, _service: Some(service), _stack: None })
    }
}

/// A server that is this program itself.
async fn own(name: &str, port: u16) -> Result<Service> {
    let program = std::env::current_exe().context("looking for this program")?;
    let launch =
        Launch::new(name, Path::new(&program)).args([name, "--port", &port.to_string()]).output(Output::Kept);
    Service::start(launch, format!("http://127.0.0.1:{port}/livez"), Duration::from_secs(20)).await
}

/// The ratios of the issue, as far as both sides were measured.
fn goals(scenarios: &[Scenario], outcomes: &[(usize, String, Vec<Outcome>)], report: &mut Report) {
    let find = |who: &str, what: &str| {
        let number = scenarios.iter().position(|scenario| scenario.name == what)?;
        let (.., rounds) = outcomes.iter().find(|(of, name, _)| *of == number && name == who)?;
        Some(Outcome::merged(rounds))
    };
    if let (Some(ours), Some(nchan)) =
        (find(OURS, "1000 streams, 20 msg/s"), find(NCHAN, "1000 streams, 20 msg/s"))
    {
        let p50 = |latencies: &Latencies| latencies.quantile(0.5);
        let more = p50(&ours.last) - p50(&nchan.last);
        report.at_most("1000 streams, 20 msg/s: last receipt p50, ours − nchan, ms", more, 5.0);
    }
    if let (Some(ours), Some(nchan)) =
        (find(OURS, "5000 streams, 20 msg/s"), find(NCHAN, "5000 streams, 20 msg/s"))
    {
        let ratio = ours.each.quantile(0.99) / nchan.each.quantile(0.99);
        report.at_most("5000 streams, 20 msg/s: p99, ours / nchan", ratio, 1.0);
    }
    let fast = "1000 streams, as fast as possible";
    if let Some(ours) = find(OURS, fast) {
        if let Some(nchan) = find(NCHAN, fast) {
            let ratio = ours.delivered_per_second / nchan.delivered_per_second;
            report.at_least(format!("{fast}: delivered events a second, ours / nchan"), ratio, 3.0);
        }
        report.at_most(
            format!("{fast}: the last receipt after the call, longest, s"),
            ours.last.max() / 1000.0,
            1.0,
        );
    }
    if let Some(ours) = find(OURS, "10000 streams, idle") {
        report.at_most("10000 streams, idle: KiB for each", ours.memory, 12.0);
        report.at_most("10000 streams, idle: seconds to connect all", ours.opened_in.as_secs_f64(), 2.0);
        report.at_most("10000 streams, idle: % of a core", ours.idle_processor, 2.0);
    }
}
