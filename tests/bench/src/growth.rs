//! `growth`: the cost of the same calls with growing data.
mod administration;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::http::Connection;
use crate::http_load::Loads;
use crate::latency::Latencies;
use crate::options::{self, Common, GrowingData};
use crate::report::{Report, Row};
use crate::request::{Caller, Endpoint, Words, bearer};
use crate::stack::Stack;
use crate::system::TEXT;

/// Streams that are opened for one figure.
const STREAMS: usize = 50;
/// A larger ratio, from the least data to the most, is growth and not noise.
const LIMIT: f64 = 1.5;
const EVENTS: &str = include_str!("../sql/growth_events.sql");
const NOTIFICATIONS: &str = include_str!("../sql/growth_notifications.sql");
const USERS: &str = include_str!("../sql/growth_users.sql");
const ROOMS: &str = include_str!("../sql/growth_rooms.sql");
const WAITING: &str = include_str!("../sql/growth_waiting.sql");

/// The median of each call, in milliseconds.
type Medians = Vec<(String, f64)>;

pub(crate) async fn run(options: &GrowingData, common: &Common, report: &mut Report) -> Result<()> {
    let mut stack = Stack::start(&common.programs()?, false).await?;
    let loads = Loads::parse()?;
    let (calls, time) = (loads.growth, options::seconds(options.seconds));
    let nothing = administration::measure(&stack, &loads.admin, "admin, empty", time, report).await?;
    for (data, row, statements, sizes) in [
        ("stored events", "events and notifications", &[EVENTS, NOTIFICATIONS][..], &options.events),
        ("users", "users", &[USERS], &options.users),
        ("rooms", "rooms", &[ROOMS], &options.rooms),
        ("waiting notifications", "waiting notifications", &[WAITING], &options.waiting),
    ] {
        let (mut before, mut points) = (0, Vec::new());
        for size in sizes {
            let range = vec![i64::try_from(before + 1)?, i64::try_from(*size)?];
            let statements: Vec<_> = statements.iter().map(|statement| (*statement, range.clone())).collect();
            // The router must not run meanwhile: it would deliver the events.
            stack.fill(&statements).await?;
            before = *size;
            points.push(measure(&stack, &calls, &format!("{size} {row}"), time, report).await?);
        }
        check(data, &points, report);
    }
    let all = administration::measure(&stack, &loads.admin, "admin, all data", time, report).await?;
    administration::check(&nothing, &all, report);
    let mut points = Vec::new();
    for connections in &options.connections {
        let bystanders = open_bystanders(&stack, *connections).await?;
        points.push(measure(&stack, &calls, &format!("{connections} other streams"), time, report).await?);
        drop(bystanders);
    }
    check("streams", &points, report);
    Ok(())
}

async fn measure(
    stack: &Stack,
    calls: &[Endpoint],
    name: &str,
    time: Duration,
    report: &mut Report,
) -> Result<Medians> {
    let system = &stack.system;
    let token = system.sign_in("grower", 1, 1).await?.concat();
    let words = Words::from([("token", token.clone()), ("text", TEXT.to_owned())]);
    let (mut medians, mut row) = (Medians::new(), Row::new(name));
    for call in calls {
        let credential = match call.caller {
            Caller::Satellite => ("X-Service-Token", system.service_token.clone()),
            _ => bearer(&token),
        };
        let load = call.load(&system.server, &[credential], &words);
        // The first calls fill caches and prepare statements.
        load.run(1, Duration::from_millis(200)).await?;
        let outcome = load.run(1, time).await?;
        if let Some(error) = &outcome.first_error {
            report.refuse(format!("{name}: {} errors: {error}", outcome.errors));
        }
        row = row.with(&format!("{} p50", call.name), outcome.latencies.p50());
        if call.name == "send" {
            row = row.with("send p99", outcome.latencies.quantile(0.99));
        }
        medians.push((call.name.clone(), outcome.latencies.p50()));
    }
    let stream = open_streams(stack, &token).await?.p50();
    medians.push(("stream".to_owned(), stream));
    report.push(row.with("stream p50", stream));
    Ok(medians)
}

/// Measures from connecting to the first bytes of a stream.
async fn open_streams(stack: &Stack, token: &str) -> Result<Latencies> {
    let mut latencies = Latencies::default();
    for _ in 0..STREAMS {
        let begin = Instant::now();
        open_stream(stack, token, 0).await?;
        latencies.record(begin.elapsed());
    }
    Ok(latencies)
}

async fn open_stream(stack: &Stack, token: &str, number: usize) -> Result<Connection> {
    let server = &stack.system.server;
    let request = server.request("GET", &format!("/api/v1/events/stream?token={token}"), &[], "");
    let mut connection = Connection::open(server, number).await?;
    let head = connection.head(&request).await?;
    ensure!(head.status == 200, "a stream returned {}", head.status);
    Ok(connection)
}

/// Opens streams of another tenant, which receive nothing of the calls. Dropping them closes them.
async fn open_bystanders(stack: &Stack, streams: usize) -> Result<Vec<Connection>> {
    let tokens = stack.system.sign_in("bystander", 100, 2).await?;
    let mut connections = Vec::new();
    for number in 0..streams {
        connections.push(open_stream(stack, &tokens[number % tokens.len()], number).await?);
    }
    Ok(connections)
}

fn check(data: &str, points: &[Medians], report: &mut Report) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    for ((call, least), (_, most)) in first.iter().zip(last) {
        report.at_most(format!("{call}: p50 with the most / with the least {data}"), most / least, LIMIT);
    }
}
