//! `resume`: many clients return at once, each far behind; how long until all are served, and what the others feel.
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::fanout::{Load, publish};
use crate::latency::Shared;
use crate::ledger::Mark;
use crate::options::Resume;
use crate::report::{Report, Row};
use crate::service::Users;
use crate::streams::{Board, Streams};

/// How long the live streams are watched before and after.
const CALM: Duration = Duration::from_secs(4);
/// Live events a second.
const RATE: f64 = 20.0;
/// How long all that returned may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A thread for the live streams: what the bench itself does for those that return must not delay their receipts.
struct Quiet(Option<Runtime>);

impl Quiet {
    fn new() -> Result<Self> {
        Ok(Self(Some(Builder::new_multi_thread().worker_threads(1).enable_all().build()?)))
    }

    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        Ok(self.0.as_ref().context("a runtime")?.spawn(task))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A runtime that waits for its tasks may not be dropped within another.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

pub(crate) async fn run(options: &Resume, report: &mut Report) -> Result<()> {
    let (door, stack) = options.deployment.door(&options.common, false).await?;
    let users = Users { per_tenant: options.users, tenants: 1 };
    let target = Arc::new(users.target(&door).await?);
    // The live board hears only live events, the other only what was missed.
    let live_board = Board::new(1, options.live, usize::MAX >> 4)?;
    let quiet = Quiet::new()?;
    let opening = (Arc::clone(&target), Arc::clone(&live_board), options.live);
    let live = quiet.spawn(async move { Streams::open(&opening.0, &opening.1, opening.2).await })?.await??;
    let missed = Board::new(1, options.connections, usize::MAX >> 4)?;
    let cursor = live.cursor();
    for number in 0..options.behind {
        let mark = Mark { run: missed.run, publisher: 0, number };
        let answer = crate::http::once(&target.server, &target.publication(&mark.text())).await?;
        ensure!(answer.status == 201, "publishing was answered {}", answer.text());
    }
    sleep(Duration::from_secs(1)).await;
    let load = Load {
        connections: options.live,
        rate: Some(RATE),
        publishers: 1,
        window: 0,
        warm_up: Duration::ZERO,
        duration: CALM * 2 + PATIENCE,
        idle: Duration::ZERO,
    };
    let calls = Arc::new(Shared::default());
    let publishing = quiet.spawn(publish(Arc::clone(&target), Arc::clone(&live_board), load, calls))?;
    live_board.record(true);
    sleep(CALM).await;
    let normal = live_board.each.total();
    live_board.each.clear();
    let begin = Instant::now();
    let returned = Streams::open_after(&target, &missed, 0..options.connections, &cursor).await?;
    let expected = u64::from(options.behind) * options.connections as u64;
    while missed.delivered.load(Relaxed) < expected && begin.elapsed() < PATIENCE {
        sleep(Duration::from_millis(2)).await;
    }
    let served = begin.elapsed();
    let meanwhile = live_board.each.total();
    live_board.record(false);
    publishing.abort();
    let tally = returned.settle(&[options.behind]);
    if !tally.is_whole() || missed.resets.load(Relaxed) > 0 {
        let resets = missed.resets.load(Relaxed);
        report.refuse(format!(
            "{tally:?}, {resets} resets: not everything that was missed came, once, in order"
        ));
    }
    report.push(Row::new("live before").latencies(&normal));
    report.push(Row::new("live meanwhile").latencies(&meanwhile));
    report.push(
        Row::new(format!("{} clients, {} events behind", options.connections, options.behind))
            .with("opened s", returned.opened_in.as_secs_f64())
            .with("served s", served.as_secs_f64())
            .with("events/s", expected as f64 / served.as_secs_f64()),
    );
    report.at_most("all served, s", served.as_secs_f64(), 2.0);
    let ratio = meanwhile.quantile(0.5) / normal.quantile(0.5);
    report.at_most("live p50 meanwhile / before", ratio, 3.0);
    for problem in live_board.problems().iter().chain(&missed.problems()) {
        report.note(problem.clone());
    }
    returned.close().await;
    live.close().await;
    drop(stack);
    Ok(())
}
