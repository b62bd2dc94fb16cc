//! The Runtime API (`/2018-06-01/runtime/…`): hands out events and collects outcomes.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, Result};
use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt as _,
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use messenger_devstack::lock;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{
        Mutex as AsyncMutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot, watch,
    },
    task::AbortHandle,
    time::Instant,
};
use uuid::Uuid;

use crate::outcome::{self, Failure, Outcome};

/// The default time limit of an invocation.
const TIME_LIMIT: Duration = Duration::from_secs(30);
const FUNCTION_ARN: &str = "arn:aws:lambda:eu-central-1:123456789012:function:messenger";

/// An event for a function.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The JSON of the event.
    pub payload: String,
    /// The time until the deadline.
    pub time_limit: Duration,
}

impl Invocation {
    /// Returns the invocation of an event, with 30 seconds until its deadline.
    pub fn new(event: &Value) -> Self {
        Self { payload: event.to_string(), time_limit: TIME_LIMIT }
    }

    /// Sets the time until the deadline.
    #[must_use]
    pub fn within(self, time_limit: Duration) -> Self {
        Self { time_limit, ..self }
    }
}

/// A Runtime API on a port of its own. Dropping it closes the port.
#[derive(Debug)]
pub struct RuntimeApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    queue: UnboundedSender<Queued>,
    /// Each `next` takes one.
    queued: AsyncMutex<UnboundedReceiver<Queued>>,
    /// The invocations without an outcome, by their request ids.
    open: Mutex<HashMap<String, oneshot::Sender<Outcome>>>,
    polls: watch::Sender<Polls>,
    init_error: watch::Sender<Option<Failure>>,
}

#[derive(Debug)]
struct Queued {
    id: String,
    invocation: Invocation,
    outcome: oneshot::Sender<Outcome>,
}

/// The requests for `next`.
#[derive(Debug, Clone, Copy, Default)]
struct Polls {
    /// The time of the first one.
    first: Option<Instant>,
    /// The number of those that wait for an event.
    waiting: usize,
}

impl RuntimeApi {
    /// Starts to listen.
    ///
    /// # Errors
    /// Returns an error if no port can be bound.
    pub async fn start() -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("a port for the Runtime API")?;
        let address = listener.local_addr()?;
        let (queue, queued) = unbounded_channel();
        let shared = Arc::new(Shared {
            queue,
            queued: AsyncMutex::new(queued),
            open: Mutex::default(),
            polls: watch::Sender::default(),
            init_error: watch::Sender::default(),
        });
        let runtime = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{id}/response", post(response))
            .route("/invocation/{id}/error", post(error))
            .route("/init/error", post(init_error));
        let routes = Router::new().nest("/2018-06-01/runtime", runtime).with_state(shared.clone());
        let listener = listener.tap_io(|socket| {
            let _ = socket.set_nodelay(true);
        });
        let server = tokio::spawn(async move { axum::serve(listener, routes).await }).abort_handle();
        Ok(Self { address, shared, server })
    }

    /// Returns the environment variables that Lambda sets for a function.
    pub fn environment(&self) -> Vec<(String, String)> {
        let address = self.address.to_string();
        let variables = [
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "messenger"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/messenger"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/31/[$LATEST]1"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            ("AWS_REGION", "eu-central-1"),
            ("_HANDLER", "bootstrap"),
            ("TZ", ":UTC"),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// Queues an event and waits for the outcome: the whole response, or the head of a streamed one.
    ///
    /// # Errors
    /// Returns an error if the connection of the response breaks before.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Outcome> {
        let (sender, outcome) = oneshot::channel();
        let queued = Queued { id: Uuid::new_v4().to_string(), invocation, outcome: sender };
        self.shared.queue.send(queued).ok().context("the queue of events is closed")?;
        outcome.await.context("the response was cut")
    }

    /// Waits for the first `next`, the end of the initialization. Returns its time.
    ///
    /// # Errors
    /// Returns an error if the function reports one instead.
    pub async fn first_next(&self) -> Result<Instant> {
        let (mut polls, mut errors) = (self.shared.polls.subscribe(), self.shared.init_error.subscribe());
        tokio::select! {
            polls = polls.wait_for(|polls| polls.first.is_some()) => polls?.first.context("a time"),
            failure = errors.wait_for(Option::is_some) => {
                let failure = failure?.clone().map(|failure| failure.body).unwrap_or_default();
                anyhow::bail!("the initialization failed: {failure}")
            }
        }
    }

    /// Waits until this number of requests for `next` wait for an event: the function has nothing to do.
    ///
    /// # Errors
    /// Never returns one while this value lives.
    pub async fn idle(&self, waiting: usize) -> Result<()> {
        self.shared.polls.subscribe().wait_for(|polls| polls.waiting >= waiting).await?;
        Ok(())
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn take(&self, id: &str) -> Option<oneshot::Sender<Outcome>> {
        lock(&self.open).remove(id)
    }
}

/// A request for `next` that waits.
struct Waiting<'a>(&'a watch::Sender<Polls>);

impl<'a> Waiting<'a> {
    fn begin(polls: &'a watch::Sender<Polls>) -> Self {
        polls.send_modify(|polls| {
            polls.first.get_or_insert_with(Instant::now);
            polls.waiting += 1;
        });
        Self(polls)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|polls| polls.waiting -= 1);
    }
}

async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let waiting = Waiting::begin(&shared.polls);
    let queued = shared.queued.lock().await.recv().await;
    drop(waiting);
    let Some(Queued { id, invocation, outcome }) = queued else { return StatusCode::GONE.into_response() };
    lock(&shared.open).insert(id.clone(), outcome);
    let limit = i64::try_from(invocation.time_limit.as_millis()).unwrap_or(i64::MAX);
    let deadline = now().as_millisecond().saturating_add(limit).to_string();
    let trace = format!("Root=1-{:08x}-{}", now().as_second(), &Uuid::new_v4().simple().to_string()[..24]);
    let headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", &id),
        ("Lambda-Runtime-Deadline-Ms", &deadline),
        ("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN),
        ("Lambda-Runtime-Trace-Id", &trace),
    ];
    (headers, invocation.payload).into_response()
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(sender) = shared.take(&id) else { return unknown(&id) };
    if headers.get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming") {
        match outcome::begin(body).await {
            Ok((streamed, rest)) => {
                let _ = sender.send(Outcome::Streamed(streamed));
                rest.read().await;
            }
            // The sender is dropped: the invocation has no outcome.
            Err(error) => return (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
        }
    } else {
        match body.collect().await {
            Ok(body) => drop(sender.send(Outcome::Whole(body.to_bytes()))),
            Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        }
    }
    accepted()
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(sender) = shared.take(&id) else { return unknown(&id) };
    let _ = sender.send(Outcome::Failed(failure(&headers, &body)));
    accepted()
}

async fn init_error(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.init_error.send_replace(Some(failure(&headers, &body)));
    accepted()
}

fn failure(headers: &HeaderMap, body: &[u8]) -> Failure {
    let kind = headers.get("lambda-runtime-function-error-type");
    let kind = kind.map(|kind| String::from_utf8_lossy(kind.as_bytes()).into_owned());
    Failure { kind: kind.unwrap_or_default(), body: serde_json::from_slice(body).unwrap_or_default() }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "status": "OK" }))).into_response()
}

fn unknown(id: &str) -> Response {
    let body = json!({ "errorType": "InvalidRequestID", "errorMessage": format!("no open invocation {id}") });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

#[expect(clippy::disallowed_methods, reason = "deadlines are times of the system's clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
