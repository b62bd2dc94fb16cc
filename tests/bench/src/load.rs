//! Load on one endpoint: so many clients, each with one call after the other.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::http::{Connection, HttpResponse, Server};
use crate::latency::{Latencies, Shared};
use crate::report::Row;

/// Where the numbers of calls begin that are made before anything is measured. JSON of Matrix ends at 2⁵³.
const BEFORE: u64 = 1 << 40;

/// Which call it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// Counts all calls of a load, over all rounds.
    pub(crate) number: u64,
    /// Which of the clients that call at once.
    pub(crate) client: usize,
}

/// Makes the request of a turn.
pub(crate) type Requests = Arc<dyn Fn(Turn) -> Vec<u8> + Send + Sync>;

/// A call that is repeated.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) server: Server,
    pub(crate) requests: Requests,
    /// What the answer must be.
    pub(crate) status: u16,
    /// What each client calls before each call, beside the measurement, whatever the answer.
    pub(crate) before: Option<Requests>,
}

/// What came of it, over all rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) latencies: Latencies,
    pub(crate) errors: u64,
    pub(crate) seconds: f64,
    pub(crate) first_error: Option<String>,
}

struct Client {
    load: Load,
    latencies: Arc<Shared>,
    next: Arc<AtomicU64>,
    shard: usize,
    end: Instant,
}

impl Load {
    /// Runs it for a while. `next` numbers the calls, over all rounds.
    pub(crate) async fn run(&self, clients: usize, time: Duration, next: &Arc<AtomicU64>) -> Result<Outcome> {
        let (begin, latencies) = (Instant::now(), Arc::new(Shared::default()));
        let mut tasks = JoinSet::new();
        for shard in 0..clients {
            let (latencies, next) = (Arc::clone(&latencies), Arc::clone(next));
            let client = Client { load: self.clone(), latencies, next, shard, end: begin + time };
            tasks.spawn(client.call());
        }
        let mut outcome = Outcome::default();
        while let Some(ended) = tasks.join_next().await {
            let (errors, first_error) = ended??;
            outcome.errors += errors;
            outcome.first_error = outcome.first_error.or(first_error);
        }
        outcome.seconds = begin.elapsed().as_secs_f64();
        outcome.latencies = latencies.total();
        Ok(outcome)
    }
}

impl Load {
    /// Makes one call before anything is measured.
    pub(crate) async fn once(&self) -> Result<HttpResponse> {
        self.times(1).await
    }

    /// Makes so many calls, one after the other, before anything is measured. Returns the last answer.
    pub(crate) async fn times(&self, calls: u64) -> Result<HttpResponse> {
        let mut connection = Connection::open(&self.server).await?;
        let mut last = None;
        for number in 0..calls {
            let answer =
                connection.call(&(self.requests)(Turn { number: BEFORE + number, client: 0 })).await?;
            ensure!(answer.status == self.status, "a call was answered {}", answer.text());
            last = Some(answer);
        }
        last.context("no call was made")
    }
}

impl Client {
    async fn call(self) -> Result<(u64, Option<String>)> {
        let mut connection = Connection::open(&self.load.server).await?;
        let (mut errors, mut first_error) = (0, None);
        while Instant::now() < self.end {
            match self.call_once(&mut connection).await {
                Ok(None) => {}
                Ok(Some(refused)) => {
                    errors += 1;
                    first_error.get_or_insert_with(|| refused.text());
                }
                Err(error) => {
                    errors += 1;
                    first_error.get_or_insert_with(|| format!("{error:#}"));
                    connection = Connection::open(&self.load.server).await?;
                }
            }
        }
        Ok((errors, first_error))
    }

    /// Returns the answer if it is not what it must be.
    async fn call_once(&self, connection: &mut Connection) -> Result<Option<HttpResponse>> {
        let turn = Turn { number: self.next.fetch_add(1, Relaxed), client: self.shard };
        if let Some(before) = &self.load.before {
            connection.call(&before(turn)).await?;
        }
        let request = (self.load.requests)(turn);
        let begin = Instant::now();
        let answer = connection.call(&request).await?;
        if answer.status != self.load.status {
            return Ok(Some(answer));
        }
        self.latencies.shard(self.shard).record(begin.elapsed());
        Ok(None)
    }
}

impl Outcome {
    pub(crate) fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        self.errors += other.errors;
        self.seconds += other.seconds;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
    }

    pub(crate) fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.latencies.count() as f64 / self.seconds } else { 0.0 }
    }

    pub(crate) fn row(&self, name: impl Into<String>) -> Row {
        Row::new(name)
            .latencies(&self.latencies)
            .with("per second", self.per_second())
            .with("errors", self.errors as f64)
    }
}
