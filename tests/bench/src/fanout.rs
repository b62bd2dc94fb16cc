//! `fanout`: one call, many streams: how long until each has it, what it costs, and whether anything was lost.
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::http::Connection;
use crate::latency::{Latencies, Shared};
use crate::ledger::{Mark, Tally};
use crate::report::{Report, Row};
use crate::streams::{Board, Streams, listeners};
use crate::target::Target;
use crate::usage::Usage;

/// How long the last events may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a publisher waits for the slowest stream before the run is given up.
const STALLED: Duration = Duration::from_secs(10);

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Events a second; `None`: as fast as possible.
    pub(crate) rate: Option<f64>,
    pub(crate) publishers: usize,
    /// As fast as possible means: at most so many events have not arrived everywhere yet.
    pub(crate) window: usize,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
    /// How long the open streams are watched before anything is published.
    pub(crate) idle: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) each: Latencies,
    pub(crate) last: Latencies,
    pub(crate) call: Latencies,
    pub(crate) delivered_per_second: f64,
    pub(crate) published_per_second: f64,
    pub(crate) connects_per_second: f64,
    pub(crate) opened_in: Duration,
    /// Resident memory for each idle stream, in KiB.
    pub(crate) memory: f64,
    pub(crate) idle_processor: f64,
    /// Processor time of the server (without its database) for a thousand delivered events, in milliseconds.
    pub(crate) processor: f64,
    server_percent: f64,
    database_percent: f64,
    client_percent: f64,
    pub(crate) returns: u64,
    pub(crate) resets: u64,
    pub(crate) problems: Vec<String>,
}

/// Runs it once.
pub(crate) async fn run(target: &Target, load: &Load) -> Result<Outcome> {
    let target = Arc::new(target.clone());
    let listeners = listeners(&target, load.connections);
    let board = Board::new(load.publishers, listeners, load.window)?;
    let before = Usage::of(&target.pids);
    let streams = Streams::open(&target, &board, load.connections).await?;
    let opened = Usage::of(&target.pids);
    sleep(load.idle).await;
    let idle = Usage::of(&target.pids);
    let calls = Arc::new(Shared::default());
    let publishing =
        tokio::spawn(publish(Arc::clone(&target), Arc::clone(&board), *load, Arc::clone(&calls)));
    sleep(load.warm_up).await;
    let measured = measure(&target, &board, load.duration).await;
    let published = publishing.await??;
    let tally = arrived(&streams, &published).await;
    let kib = idle.memory.saturating_sub(before.memory) as f64;
    let outcome = Outcome {
        tally,
        each: board.each.total(),
        last: board.last.total(),
        call: calls.total(),
        connects_per_second: load.connections as f64 / streams.opened_in.as_secs_f64().max(1e-9),
        opened_in: streams.opened_in,
        memory: kib / load.connections.max(1) as f64,
        idle_processor: idle.percent_since(&opened),
        returns: board.returns.load(Relaxed),
        resets: board.resets.load(Relaxed),
        problems: board.problems(),
        ..measured
    };
    streams.close().await;
    Ok(outcome)
}

/// What happens while receipts are recorded.
async fn measure(target: &Target, board: &Board, duration: Duration) -> Outcome {
    let ours = [i32::try_from(std::process::id()).unwrap_or_default()];
    let usage = || (Usage::of(&target.pids), Usage::of(&target.database), Usage::own(&ours));
    let (server, database, client) = usage();
    let (begin, delivered) = (Instant::now(), board.delivered.load(Relaxed));
    board.record(true);
    sleep(duration).await;
    board.record(false);
    let (seconds, delivered) = (begin.elapsed().as_secs_f64(), board.delivered.load(Relaxed) - delivered);
    let (server_now, database_now, client_now) = usage();
    let processor = server_now.processor_since(&server).as_secs_f64() * 1000.0;
    Outcome {
        tally: Tally::default(),
        each: Latencies::default(),
        last: Latencies::default(),
        call: Latencies::default(),
        delivered_per_second: delivered as f64 / seconds,
        published_per_second: delivered as f64 / seconds / f64::from(board.listeners.max(1)),
        connects_per_second: 0.0,
        opened_in: Duration::ZERO,
        memory: 0.0,
        idle_processor: 0.0,
        processor: processor / (delivered as f64 / 1000.0).max(1e-9),
        server_percent: server_now.percent_since(&server),
        database_percent: database_now.percent_since(&database),
        client_percent: client_now.percent_since(&client),
        returns: 0,
        resets: 0,
        problems: Vec::new(),
    }
}

/// Publishes until the time is over. Returns how many events each publisher published.
pub(crate) async fn publish(
    target: Arc<Target>,
    board: Arc<Board>,
    load: Load,
    calls: Arc<Shared>,
) -> Result<Vec<u32>> {
    let (begin, mut publishers) = (Instant::now(), JoinSet::new());
    for publisher in 0..load.publishers {
        let publisher = Publisher {
            number: u16::try_from(publisher)?,
            target: Arc::clone(&target),
            board: Arc::clone(&board),
            calls: Arc::clone(&calls),
        };
        publishers.spawn(publisher.publish(load, begin));
    }
    let mut published = vec![0; load.publishers];
    while let Some(ended) = publishers.join_next().await {
        let (number, count) = ended??;
        published[usize::from(number)] = count;
    }
    Ok(published)
}

struct Publisher {
    number: u16,
    target: Arc<Target>,
    board: Arc<Board>,
    calls: Arc<Shared>,
}

impl Publisher {
    async fn publish(self, load: Load, begin: Instant) -> Result<(u16, u32)> {
        let end = begin + load.warm_up + load.duration;
        let mut connection = Connection::open(&self.target.server).await?;
        for number in 0.. {
            match load.rate {
                // The publishers take turns.
                Some(rate) => {
                    let turn = f64::from(number) * load.publishers as f64 + f64::from(self.number);
                    let due = begin + Duration::from_secs_f64(turn / rate);
                    sleep_until(due.min(end)).await;
                }
                None => match timeout(STALLED, self.board.window.acquire()).await {
                    Ok(permit) => permit?.forget(),
                    // Something was lost: the counts will say so.
                    Err(_) => return Ok((self.number, number)),
                },
            }
            if Instant::now() >= end {
                return Ok((self.number, number));
            }
            self.call(&mut connection, number).await?;
        }
        Ok((self.number, u32::MAX))
    }

    async fn call(&self, connection: &mut Connection, number: u32) -> Result<()> {
        let mark = Mark { run: self.board.run, publisher: self.number, number };
        let request = self.target.publication(&mark.text());
        let begin = Instant::now();
        self.board.publishing(mark);
        let answer = connection.call(&request).await?;
        // nchan answers 202 while nobody listens.
        ensure!(answer.is_success(), "publishing was answered {}", answer.text());
        if self.board.is_recording() {
            self.calls.shard(usize::from(self.number)).record(begin.elapsed());
        }
        Ok(())
    }
}

/// Waits until everything has arrived, or until nothing more comes.
async fn arrived(streams: &Streams, published: &[u32]) -> Tally {
    let expected = published.iter().map(|count| u64::from(*count)).sum::<u64>() * streams.listeners() as u64;
    let deadline = Instant::now() + PATIENCE;
    while streams.board.delivered.load(Relaxed) < expected && Instant::now() < deadline {
        sleep(Duration::from_millis(20)).await;
    }
    // What is there twice comes a moment later.
    sleep(Duration::from_millis(200)).await;
    streams.settle(published)
}

impl Outcome {
    /// Several rounds as one: latencies together, rates and costs on average.
    pub(crate) fn merged(rounds: &[Self]) -> Self {
        let mean =
            |figure: fn(&Self) -> f64| rounds.iter().map(figure).sum::<f64>() / rounds.len().max(1) as f64;
        let together = |figure: fn(&Self) -> &Latencies| {
            rounds.iter().map(figure).fold(Latencies::default(), |mut sum, latencies| {
                sum.add(latencies);
                sum
            })
        };
        Self {
            tally: rounds.iter().fold(Tally::default(), |tally, round| tally.plus(round.tally)),
            each: together(|round| &round.each),
            last: together(|round| &round.last),
            call: together(|round| &round.call),
            delivered_per_second: mean(|round| round.delivered_per_second),
            published_per_second: mean(|round| round.published_per_second),
            connects_per_second: mean(|round| round.connects_per_second),
            opened_in: Duration::from_secs_f64(mean(|round| round.opened_in.as_secs_f64())),
            memory: mean(|round| round.memory),
            idle_processor: mean(|round| round.idle_processor),
            processor: mean(|round| round.processor),
            server_percent: mean(|round| round.server_percent),
            database_percent: mean(|round| round.database_percent),
            client_percent: mean(|round| round.client_percent),
            returns: rounds.iter().map(|round| round.returns).sum(),
            resets: rounds.iter().map(|round| round.resets).sum(),
            problems: rounds.iter().flat_map(|round| round.problems.clone()).collect(),
        }
    }

    /// Its rows in the report.
    pub(crate) fn rows(&self, name: &str) -> [Row; 2] {
        let Self { tally, .. } = self;
        let latencies = Row::new(name)
            .with("events/s", self.delivered_per_second)
            .with("msg/s", self.published_per_second)
            .latencies(&self.each)
            .with("last p50 ms", self.last.quantile(0.5))
            .with("last p99 ms", self.last.quantile(0.99))
            .with("call p50 ms", self.call.quantile(0.5))
            .with("lost", tally.lost as f64)
            .with("repeated", tally.repeated as f64)
            .with("disordered", tally.disordered as f64)
            .with("foreign", tally.foreign as f64)
            .with("returns", self.returns as f64);
        let cost = Row::new(format!("{name}, cost"))
            .with("connects/s", self.connects_per_second)
            .with("KiB/stream", self.memory)
            .with("idle cpu %", self.idle_processor)
            .with("cpu ms/1000", self.processor)
            .with("server %", self.server_percent)
            .with("database %", self.database_percent)
            .with("client %", self.client_percent);
        [latencies, cost]
    }

    /// Puts it into the report, and refuses the run when it was not whole.
    pub(crate) fn report(&self, name: &str, report: &mut Report) {
        for row in self.rows(name) {
            report.push(row);
        }
        if !self.tally.is_whole() || self.resets > 0 {
            let Tally { lost, repeated, disordered, foreign, .. } = self.tally;
            report.refuse(format!(
                "{name}: {lost} lost, {repeated} repeated, {disordered} out of order, {foreign} foreign, {} resets",
                self.resets
            ));
        }
        if self.tally.received == 0 {
            report.refuse(format!("{name}: nothing was received"));
        }
        for problem in &self.problems {
            report.note(format!("{name}: {problem}"));
        }
    }
}
