//! `fanout`: the latency and the cost of events to many streams, and a check that nothing was lost.
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::ledger::{Mark, Tally};
use crate::options::{Fanout, StreamLoad};
use crate::streams::{Recorder, Streams};
use crate::target::Target;
use messenger_bench::http::Connection;
use messenger_bench::latency::SharedLatencies;
use messenger_bench::machine::Usage;
use messenger_bench::options::{Common, seconds};
use messenger_bench::report::{Report, Row};

const WARM_UP: Duration = Duration::from_secs(1);
/// Time limit for the receipt of the last events.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for which a publisher waits for the slowest stream before it gives up.
const WINDOW_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn run(options: &Fanout, common: &Common) -> Result<Report> {
    let mut report = Report::new("fanout");
    let (system, _stack) = options.deployment.start(common, false).await?;
    let target = Target::of_service(&system, options.users, usize::from(options.tenants)).await?;
    let rate = options.load.rate.map_or("as fast as possible".to_owned(), |rate| format!("{rate} msg/s"));
    let name = format!("{} streams, {rate}", options.load.connections);
    measure(target, &options.load, &name, &mut report).await?;
    Ok(report)
}

/// Opens the streams, publishes to them, and adds two rows to the report: `name`, and `name, cost`.
pub(crate) async fn measure(
    target: Target,
    load: &StreamLoad,
    name: &str,
    report: &mut Report,
) -> Result<()> {
    let target = Arc::new(target);
    let recorder = Recorder::new(load.publishers, target.audience(load.connections), load.window)?;
    let before = Usage::of(&target.pids);
    let streams = Streams::open(&target, &recorder, load.connections, b"").await?;
    let opened = Usage::of(&target.pids);
    sleep(seconds(load.idle_seconds)).await;
    let idle = Usage::of(&target.pids);
    let (calls, time) = (Arc::new(SharedLatencies::default()), seconds(load.seconds));
    let publishing = publish(&target, &recorder, load, WARM_UP + time, &calls);
    sleep(WARM_UP).await;
    let usages = || [Usage::of(&target.pids), Usage::of(&target.database_pids), Usage::of_this_process()];
    let (begin, first, start) = (Instant::now(), recorder.delivered.load(Relaxed), usages());
    recorder.recording.store(true, Relaxed);
    sleep(time).await;
    recorder.recording.store(false, Relaxed);
    let delivered = (recorder.delivered.load(Relaxed) - first) as f64;
    let (per_second, end) = (delivered / begin.elapsed().as_secs_f64(), usages());
    let published = collect(publishing).await?;
    let tally = wait_for_receipts(&streams, &published).await;
    let percent = |process: usize| end[process].percent_since(&start[process]);
    let processor = end[0].processor_since(&start[0]).as_secs_f64() * 1000.0;
    let memory = idle.memory.saturating_sub(before.memory) as f64;
    let last = recorder.last.take();
    report.push(
        Row::new(name)
            .with("events/s", per_second)
            .with("msg/s", per_second / f64::from(recorder.audience.max(1)))
            .latencies(&recorder.each.take())
            .with("last p50 ms", last.p50())
            .with("last p99 ms", last.quantile(0.99))
            .with("call p50 ms", calls.take().p50())
            .with("lost", tally.lost as f64)
            .with("repeated", tally.repeated as f64)
            .with("disordered", tally.disordered as f64)
            .with("foreign", tally.foreign as f64)
            .with("returns", recorder.reconnects.load(Relaxed) as f64),
    );
    report.push(
        Row::new(format!("{name}, cost"))
            .with("connects/s", load.connections as f64 / streams.opened_in.as_secs_f64().max(1e-9))
            .with("KiB/stream", memory / load.connections.max(1) as f64)
            .with("idle cpu %", idle.percent_since(&opened))
            // Processor time of the server, without its database, for a thousand received events.
            .with("cpu ms/1000", processor / (delivered / 1000.0).max(1e-9))
            .with("server %", percent(0))
            .with("database %", percent(1))
            .with("client %", percent(2)),
    );
    check(name, &tally, &recorder, report);
    streams.close().await;
    Ok(())
}

/// Refuses the run if it is not complete.
fn check(name: &str, tally: &Tally, recorder: &Recorder, report: &mut Report) {
    let (Tally { received, repeated, disordered, lost, foreign }, resets) =
        (tally, recorder.resets.load(Relaxed));
    if !tally.is_complete() || resets > 0 {
        report.refuse(format!(
            "{name}: {lost} lost, {repeated} repeated, {disordered} out of order, {foreign} foreign, {resets} resets"
        ));
    }
    if *received == 0 {
        report.refuse(format!("{name}: nothing was received"));
    }
    recorder.errors().iter().for_each(|error| report.note(format!("{name}: {error}")));
}

/// Publishers that run; each returns its number and how many events it published.
pub(crate) type Publishing = JoinSet<Result<(u16, u32)>>;

/// Starts publishers for a while.
pub(crate) fn publish(
    target: &Arc<Target>,
    recorder: &Arc<Recorder>,
    load: &StreamLoad,
    time: Duration,
    calls: &Arc<SharedLatencies>,
) -> Publishing {
    let begin = Instant::now();
    let publisher = |number| Publisher {
        number,
        load: *load,
        begin,
        end: begin + time,
        target: Arc::clone(target),
        recorder: Arc::clone(recorder),
        calls: Arc::clone(calls),
    };
    (0..u16::try_from(load.publishers).unwrap_or(u16::MAX)).map(|n| publisher(n).run()).collect()
}

/// Waits for the publishers. Returns how many events each published.
async fn collect(publishing: Publishing) -> Result<Vec<u32>> {
    let mut published = publishing.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
    published.sort_unstable();
    Ok(published.into_iter().map(|(_, count)| count).collect())
}

struct Publisher {
    number: u16,
    load: StreamLoad,
    begin: Instant,
    end: Instant,
    target: Arc<Target>,
    recorder: Arc<Recorder>,
    calls: Arc<SharedLatencies>,
}

impl Publisher {
    async fn run(self) -> Result<(u16, u32)> {
        let mut connection = Connection::open(&self.target.server, 0).await?;
        for number in 0.. {
            match self.load.rate {
                // Publishers send one after the other, at equal distances.
                Some(rate) => {
                    let place = f64::from(number) * self.load.publishers as f64 + f64::from(self.number);
                    sleep_until((self.begin + Duration::from_secs_f64(place / rate)).min(self.end)).await;
                }
                None => match timeout(WINDOW_TIMEOUT, self.recorder.window.acquire()).await {
                    Ok(permit) => permit?.forget(),
                    // An event was lost, which the tally shows.
                    Err(_) => return Ok((self.number, number)),
                },
            }
            if Instant::now() >= self.end {
                return Ok((self.number, number));
            }
            self.call(&mut connection, number).await?;
        }
        Ok((self.number, u32::MAX))
    }

    async fn call(&self, connection: &mut Connection, number: u32) -> Result<()> {
        let mark = Mark { run: self.recorder.run, publisher: self.number, number };
        let request = self.target.publish_request(&mark.text());
        let begin = Instant::now();
        self.recorder.record_publication(mark);
        let response = connection.call(&request).await?;
        // nchan returns 202 while it has no subscribers.
        ensure!((200..300).contains(&response.status), "publishing returned {}", response.text());
        if self.recorder.recording.load(Relaxed) {
            self.calls.record(usize::from(self.number), begin.elapsed());
        }
        Ok(())
    }
}

/// Waits until all events were received, or until the time limit.
async fn wait_for_receipts(streams: &Streams, published: &[u32]) -> Tally {
    let recorder = &streams.recorder;
    let expected =
        published.iter().map(|count| u64::from(*count)).sum::<u64>() * u64::from(recorder.audience);
    let deadline = Instant::now() + RECEIPT_TIMEOUT;
    while recorder.delivered.load(Relaxed) < expected && Instant::now() < deadline {
        sleep(Duration::from_millis(20)).await;
    }
    // A repeated event comes a moment later.
    sleep(Duration::from_millis(200)).await;
    streams.tally(published)
}
