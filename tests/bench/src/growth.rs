//! `growth`: what the same call costs when there is more of everything.
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::http::Connection;
use crate::inserts::connect;
use crate::latency::Latencies;
use crate::load::{Load, Outcome, Turn};
use crate::options::{self, Growth};
use crate::report::{Report, Row};
use crate::service::{Door, Users};
use crate::stack::Stack;
use crate::streams::{Board, Streams};
use crate::target::{Target, notification};
use crate::token;

/// How often a stream is opened.
const OPENINGS: usize = 50;
/// More than this, from the least to the most, is growth, and not noise.
const SAME: f64 = 1.5;

/// Rows of another tenant and of ours in turn, as the service would have left them; the log goes on after them.
const EVENTS: &str = "
    with base as (select position from feed_head for update),
    stored as (
        insert into events (position, tenant_id, audience, kind, notification_id, payload)
        select base.position + n, n % 2 + 1, 't' || n % 2 + 1 || ':a:', 'notification', n,
               '{\"source_app\":\"bench\",\"event_type\":\"machine.alarm\",\"title\":\"stored before\"}'
        from base, generate_series(1, $1::bigint) n
    )
    update feed_head set position = position + $1::bigint";
const NOTIFICATIONS: &str = "
    insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue, status)
    select n % 2 + 1, 'legacy', 'bench', 'machine.alarm', 'stored before', 'general', 'normal',
           'bench queue ' || n % 1000, 'sent'
    from generate_series(1, $1::bigint) n";
const USERS: &str = "
    insert into users (hub_user_id, tenant_id, localpart, display_name, role, search_name, search_id, account_due)
    select 'grown-' || n, 1, 'grown-' || n, 'Grown ' || n, 'user', 'grown ' || n, 'grown-' || n, null
    from generate_series($1::bigint, $2::bigint) n";
const ROOMS: &str = "
    with room as (
        insert into rooms (tenant_id, kind, key, matrix_room_id)
        select 1, 'entity', 'grown:' || n, '!grown' || n || ':bench.local' from generate_series($1::bigint, $2::bigint) n
    )
    insert into outbox_queues (name) select 'grown queue ' || n from generate_series($1::bigint, $2::bigint) n";
/// What an outage leaves, in room queues of its own.
const WAITING: &str = "
    insert into notifications (tenant_id, token, source_app, event_type, title, target_type, priority, queue)
    select 1, 'legacy', 'bench', 'machine.alarm', 'waits', 'general', 'normal', 'waiting queue ' || n % 1000
    from generate_series($1::bigint, $2::bigint) n";
const TIDY: &str = "analyze; checkpoint";

pub(crate) async fn run(options: &Growth, report: &mut Report) -> Result<()> {
    let mut stack = Stack::start(&options.common.programs()?, false).await?;
    let time = options::seconds(options.seconds);
    let mut before = 0;
    let mut points = Vec::new();
    for size in &options.events {
        let more = i64::try_from(size.saturating_sub(before))?;
        before = *size;
        fill(&mut stack, &[(EVENTS, vec![more]), (NOTIFICATIONS, vec![more])]).await?;
        points.push(point(&stack, &format!("{size} events and notifications"), time, report).await?);
    }
    judge("stored events", &points, report);
    for (what, statement, sizes) in [
        ("users", USERS, &options.users),
        ("rooms", ROOMS, &options.rooms),
        ("waiting notifications", WAITING, &options.waiting),
    ] {
        let (mut before, mut points) = (0, Vec::new());
        for size in sizes {
            let (from, to) = (i64::try_from(before + 1)?, i64::try_from(*size)?);
            before = *size;
            fill(&mut stack, &[(statement, vec![from, to])]).await?;
            points.push(point(&stack, &format!("{size} {what}"), time, report).await?);
        }
        judge(what, &points, report);
    }
    let mut points = Vec::new();
    for connections in &options.connections {
        let bystanders = bystanders(&stack, *connections).await?;
        points.push(point(&stack, &format!("{connections} other streams"), time, report).await?);
        bystanders.close().await;
    }
    judge("streams", &points, report);
    Ok(())
}

/// Rows are made while the router is away: else it would hand them out.
async fn fill(stack: &mut Stack, statements: &[(&str, Vec<i64>)]) -> Result<()> {
    stack
        .meanwhile(async |database| {
            let client = connect(database.url()).await?;
            for (statement, numbers) in statements {
                let numbers: Vec<_> =
                    numbers.iter().map(|n| n as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
                client.execute(*statement, &numbers).await?;
            }
            for statement in TIDY.split("; ") {
                client.batch_execute(statement).await?;
            }
            Ok(())
        })
        .await
}

/// p50 of each call, in milliseconds.
struct Point([(&'static str, f64); 5]);

async fn point(stack: &Stack, name: &str, time: Duration, report: &mut Report) -> Result<Point> {
    let door = Door::of(stack);
    let token = token::sign(&door.hub_key, "grower", 1)?;
    let bearer = format!("Bearer {token}");
    let get = |path: &str| {
        let request = door.server.request("GET", path, &[("Authorization", &bearer)], "");
        Load {
            server: door.server.clone(),
            requests: Arc::new(move |_| request.clone()),
            status: 200,
            before: None,
        }
    };
    let (server, service_token) = (door.server.clone(), door.service_token.clone());
    let requests =
        move |turn: Turn| notification(&server, &service_token, &format!("alarm {}", turn.number), "wait=0");
    let send = Load { server: door.server.clone(), requests: Arc::new(requests), status: 201, before: None };
    let me = run_one(&get("/api/v1/users/me"), time).await?;
    let send = run_one(&send, time).await?;
    let poll = run_one(&get(&format!("/api/v1/events/poll?token={token}&client=growth")), time).await?;
    let search = run_one(&get("/api/v1/users?q=grown%209"), time).await?;
    let stream = openings(&door, &token).await?;
    for outcome in [&me, &send, &poll, &search] {
        if let Some(error) = &outcome.first_error {
            report.refuse(format!("{name}: {} errors: {error}", outcome.errors));
        }
    }
    let p50 = |outcome: &Outcome| outcome.latencies.quantile(0.5);
    let point = Point([
        ("send", p50(&send)),
        ("poll", p50(&poll)),
        ("stream", stream.quantile(0.5)),
        ("users/me", p50(&me)),
        ("users?q=", p50(&search)),
    ]);
    let row = point.0.iter().fold(Row::new(name), |row, (call, p50)| row.with(&format!("{call} p50"), *p50));
    report.push(row.with("send p99", send.latencies.quantile(0.99)));
    Ok(point)
}

async fn run_one(load: &Load, time: Duration) -> Result<Outcome> {
    // The first calls fill caches and prepare statements.
    load.run(1, Duration::from_millis(200), &Arc::default()).await?;
    load.run(1, time, &Arc::default()).await
}

/// From connecting to the first bytes of a stream.
async fn openings(door: &Door, token: &str) -> Result<Latencies> {
    let request = door.server.request("GET", &format!("/api/v1/events/stream?token={token}"), &[], "");
    let mut latencies = Latencies::default();
    for _ in 0..OPENINGS {
        let begin = std::time::Instant::now();
        Connection::open(&door.server).await?.head(&request).await?;
        latencies.record(begin.elapsed());
    }
    Ok(latencies)
}

/// Streams of another tenant, which hear nothing of ours.
async fn bystanders(stack: &Stack, connections: usize) -> Result<Streams> {
    let users = Users { per_tenant: 100, tenants: 2 };
    let target = users.follow(stack).await?;
    let target = Target { streams: target.streams[100..].to_vec(), bystanders: 100, ..target };
    Streams::open(&Arc::new(target), &Board::new(1, 1, 1)?, connections).await
}

fn judge(what: &str, points: &[Point], report: &mut Report) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    for ((call, least), (_, most)) in first.0.iter().zip(&last.0) {
        report.at_most(format!("{call}: p50 with the most / with the least {what}"), most / least, SAME);
    }
}
