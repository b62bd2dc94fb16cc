//! Load on one endpoint: concurrent clients, each with one call after the other.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::http::{Connection, HttpResponse, Server};
use crate::outcome::Outcome;
use crate::pgbench;
use crate::stack::connect;

/// The number of the first measured call: numbers have 16 digits and are exact in JSON (below 2⁵³).
const FIRST: u64 = 1_000_000_000_000_000;
/// The number of the first call before the measurement.
const FIRST_UNMEASURED: u64 = 2 * FIRST;

/// The placeholder for the number of the call in a prepared request. It is as long as a number, so that the
/// `Content-Length` stays right.
pub(crate) const NUMBER: &str = "~number-of-call~";
/// The placeholder for the last three digits of the number.
pub(crate) const KEY: &str = "~k~";

/// A call that is repeated.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    server: Server,
    pub(crate) requests: Requests,
    status: u16,
    before: Option<Requests>,
    /// The database in which each client inserts a row before each call, as a part of the measurement.
    pub(crate) insert_first: Option<String>,
    /// The number of the next call, over all rounds.
    next: Arc<AtomicU64>,
}

/// The requests of an endpoint, one for each credential.
#[derive(Clone, Debug)]
pub(crate) struct Requests(pub(crate) Vec<String>);

/// The connections of one client.
struct Client {
    connection: Connection,
    database: Option<(tokio_postgres::Client, tokio_postgres::Statement)>,
}

impl Requests {
    /// Returns the request of a client. The number has 16 digits.
    pub(crate) fn of(&self, client: usize, number: u64) -> String {
        let request = self.0[client % self.0.len()].replace(NUMBER, &number.to_string());
        request.replace(KEY, &format!("{:03}", number % 1000))
    }
}

impl Load {
    /// Returns the load of these requests. Those of `before` are sent before each call and not measured.
    pub(crate) fn new(server: Server, requests: Requests, status: u16, before: Option<Requests>) -> Self {
        Self { server, requests, status, before, insert_first: None, next: Arc::new(FIRST.into()) }
    }

    /// Runs the load for a while.
    pub(crate) async fn run(&self, clients: usize, time: Duration) -> Result<Outcome> {
        let begin = Instant::now();
        let clients = (0..clients).map(|client| self.clone().run_client(client, begin + time));
        let mut outcome = Outcome::default();
        for result in clients.collect::<JoinSet<_>>().join_all().await {
            outcome.add(&result?);
        }
        Ok(Outcome { seconds: begin.elapsed().as_secs_f64(), ..outcome })
    }

    /// Makes calls before the measurement, one after the other. Returns the last response.
    pub(crate) async fn call(&self, calls: u64) -> Result<HttpResponse> {
        let mut connection = Connection::open(&self.server, 0).await?;
        let mut last = None;
        for (client, number) in (0..calls).map(|call| FIRST_UNMEASURED + call).enumerate() {
            let response = connection.call(&self.requests.of(client, number)).await?;
            ensure!(response.status == self.status, "a call returned {}", response.text());
            last = Some(response);
        }
        last.context("no call was made")
    }

    async fn run_client(self, number: usize, end: Instant) -> Result<Outcome> {
        let (mut client, mut outcome) = (self.connect().await?, Outcome::default());
        while Instant::now() < end {
            match self.measure(&mut client, number).await {
                Ok(latency) => outcome.latencies.record(latency),
                Err(error) => {
                    outcome.errors += 1;
                    outcome.first_error.get_or_insert_with(|| format!("{error:#}"));
                    client = self.connect().await?;
                }
            }
        }
        Ok(outcome)
    }

    async fn connect(&self) -> Result<Client> {
        let mut database = None;
        if let Some(url) = &self.insert_first {
            let client = connect(url).await?;
            let insert = client.prepare(pgbench::INSERT).await?;
            database = Some((client, insert));
        }
        Ok(Client { connection: Connection::open(&self.server, 0).await?, database })
    }

    /// Makes one call, and returns its latency.
    async fn measure(&self, client: &mut Client, number: usize) -> Result<Duration> {
        let call = self.next.fetch_add(1, Relaxed);
        if let Some(before) = &self.before {
            client.connection.call(&before.of(number, call)).await?;
        }
        let request = self.requests.of(number, call);
        let begin = Instant::now();
        if let Some((database, insert)) = &client.database {
            database.execute(insert, &[]).await?;
        }
        let response = client.connection.call(&request).await?;
        let latency = begin.elapsed();
        ensure!(response.status == self.status, "{}", response.text());
        Ok(latency)
    }
}
