//! `resume`: the time until many clients that reconnect far behind are served, and the latency of other streams.
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep};

use crate::fanout::publish;
use crate::ledger::Mark;
use crate::options::{Resume, StreamLoad};
use crate::streams::{Recorder, Streams};
use crate::target::Target;
use messenger_bench::http::Connection;
use messenger_bench::options::Common;
use messenger_bench::report::{Report, Row};

/// The time for which the live streams are measured before the others reconnect.
const BEFORE: Duration = Duration::from_secs(4);
/// Live events a second.
const RATE: f64 = 20.0;
/// Time limit until all reconnected clients are served.
const TIMEOUT: Duration = Duration::from_mins(1);

pub(crate) async fn run(options: &Resume, common: &Common) -> Result<Report> {
    let mut report = Report::new("resume");
    let (system, _stack) = options.deployment.start(common, false).await?;
    let target = Arc::new(Target::of_service(&system, options.users, 1).await?);
    // The live streams have a thread of their own, which the work for the reconnected ones does not delay.
    // The runtime lives as long as the process, because it must not be dropped within another.
    let live_runtime: &Runtime =
        Box::leak(Box::new(Builder::new_multi_thread().worker_threads(1).enable_all().build()?));
    // The live recorder counts live events only, the other one missed events only.
    let live_recorder = Recorder::new(1, options.live, usize::MAX >> 4)?;
    let missed = Recorder::new(1, options.connections, usize::MAX >> 4)?;
    let (live_target, recorder, count) = (Arc::clone(&target), Arc::clone(&live_recorder), options.live);
    let live =
        live_runtime.spawn(async move { Streams::open(&live_target, &recorder, count, b"").await }).await??;
    let mut connection = Connection::open(&target.server, 0).await?;
    for number in 0..options.behind {
        let mark = Mark { run: missed.run, publisher: 0, number };
        let response = connection.call(&target.publish_request(&mark.text())).await?;
        ensure!(response.status == 201, "publishing returned {}", response.text());
    }
    sleep(Duration::from_secs(1)).await;
    let load = StreamLoad {
        connections: options.live,
        rate: Some(RATE),
        publishers: 1,
        window: 0,
        seconds: 0.0,
        idle_seconds: 0.0,
    };
    let mut publishing = {
        let _entered = live_runtime.enter();
        publish(&target, &live_recorder, &load, BEFORE * 2 + TIMEOUT, &Arc::default())
    };
    live_recorder.recording.store(true, Relaxed);
    sleep(BEFORE).await;
    let before = live_recorder.each.take();
    let begin = Instant::now();
    let reconnected = Streams::open(&target, &missed, options.connections, &live.cursor()).await?;
    let expected = u64::from(options.behind) * options.connections as u64;
    while missed.delivered.load(Relaxed) < expected && begin.elapsed() < TIMEOUT {
        sleep(Duration::from_millis(2)).await;
    }
    let served = begin.elapsed().as_secs_f64();
    let meanwhile = live_recorder.each.take();
    live_recorder.recording.store(false, Relaxed);
    publishing.abort_all();
    let (tally, resets) = (reconnected.tally(&[options.behind]), missed.resets.load(Relaxed));
    if !tally.is_complete() || resets > 0 {
        report.refuse(format!("{tally:?}, {resets} resets: not every missed event came, once, in order"));
    }
    report.push(Row::new("live before").latencies(&before));
    report.push(Row::new("live meanwhile").latencies(&meanwhile));
    report.push(
        Row::new(format!("{} clients, {} events behind", options.connections, options.behind))
            .with("opened s", reconnected.opened_in.as_secs_f64())
            .with("served s", served)
            .with("events/s", expected as f64 / served),
    );
    report.at_most("all served, s", served, 2.0);
    report.at_most("live p50 meanwhile / before", meanwhile.p50() / before.p50(), 3.0);
    live_recorder.errors().into_iter().chain(missed.errors()).for_each(|error| report.note(error));
    reconnected.close().await;
    live.close().await;
    Ok(report)
}
