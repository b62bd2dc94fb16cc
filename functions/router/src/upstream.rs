//! An upstream: a function in other processes. Requests are forwarded to one of its copies, and responses are
//! streamed back.
//!
//! A request goes to the best copy: a ready one with the fewest requests in flight. It is tried at another copy
//! only if the first cannot have seen it; `GET` and `HEAD` without a body also if the connection broke before
//! the response.

mod copies;
mod copy;
mod origin;
mod response;

use std::{error::Error as _, sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody as _},
    extract::{FromRef as _, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderName, Method, StatusCode, request::Parts, uri::PathAndQuery};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use messenger_runtime::{
    App, Shutdown,
    fields::query_value,
    traces::{ClientSpan, request_id},
};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;

use self::{
    copies::Copies,
    copy::{FunctionCopy, InFlight},
    response::response_of,
};
use crate::{
    forwarding::{forward_client, remove_hop_by_hop},
    shared_body::SharedBody,
};

/// The id of the request, the same in the log of the router and of the function.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Time limit of connecting to a copy.
const CONNECT_WAIT: Duration = Duration::from_secs(1);
/// The longest time for which other copies are tried.
const ATTEMPTS_WAIT: Duration = Duration::from_secs(3);
/// The longest time for which a connection is kept for the next request. It is shorter than that of a function,
/// which could otherwise close it while a request is on its way.
const IDLE_WAIT: Duration = Duration::from_secs(5);
/// The time after which a copy whose machine has vanished is noticed, although its connections are open.
const VANISHED: Duration = Duration::from_secs(30);
/// The silence after which a connection is probed by TCP, and the pause between these probes.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// The additional time limit of an upload, which is that of the homeserver for a file.
const UPLOAD_WAIT: Duration = Duration::from_mins(5);
/// The longest `?wait=` of any call, in seconds.
const WAIT_MAX: f64 = 25.0;

type HttpClient = Client<HttpConnector, Body>;

/// The copies of one function.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Shared>);

struct Shared {
    client: HttpClient,
    copies: Arc<Copies>,
    /// The longest silence of a copy; zero is no limit.
    patience: Duration,
}

/// A request on its way to a copy.
struct Forwarded {
    parts: Parts,
    path: PathAndQuery,
    body: SharedBody,
    /// The longest silence of a copy for this request; zero is no limit.
    patience: Duration,
}

/// The reason for which a copy did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// It cannot have seen the request.
    Unseen,
    /// It may have seen the request.
    Seen,
    /// It was silent for too long.
    Silent,
}

impl Upstream {
    /// Parses `http://a:8000,http://b:8000`. `patience` is the longest silence of a copy; zero is no limit.
    pub(crate) fn parse(urls: &str, patience: Duration) -> Result<Self, String> {
        let client = client();
        let copies = Arc::new(Copies::parse(urls, client.clone())?);
        Ok(Self(Arc::new(Shared { client, copies, patience })))
    }

    /// Forwards a request, and returns the response of a copy or a refusal.
    pub(crate) async fn forward(&self, app: &App, request: Request) -> Response {
        let request = self.0.prepare(app, request);
        let is_repeatable =
            matches!(request.parts.method, Method::GET | Method::HEAD) && request.body.is_end_stream();
        let (mut tried, mut broken, begun) = (Vec::new(), None, Instant::now());
        loop {
            let best = self.0.copies.best(&tried).await;
            // Perhaps only the connection broke: without another copy the same one is tried once more.
            let Some(in_flight) = best.or_else(|| broken.take().map(InFlight::at)) else { break };
            let copy = in_flight.copy().clone();
            match self.0.send(in_flight, &request, &Shutdown::from_ref(app)).await {
                Ok(response) => return response,
                Err(Failure::Unseen) if !request.body.is_read() => {}
                Err(Failure::Seen) if is_repeatable => {
                    if !tried.iter().any(|tried| Arc::ptr_eq(tried, &copy)) {
                        broken = Some(copy.clone());
                    }
                }
                Err(Failure::Silent) => return StatusCode::GATEWAY_TIMEOUT.into_response(),
                Err(Failure::Unseen | Failure::Seen) => return StatusCode::BAD_GATEWAY.into_response(),
            }
            tried.push(copy);
            if begun.elapsed() > ATTEMPTS_WAIT {
                break;
            }
        }
        StatusCode::SERVICE_UNAVAILABLE.into_response()
    }
}

impl Shared {
    /// Changes the headers of a request to those that a copy gets.
    fn prepare(&self, app: &App, request: Request) -> Forwarded {
        let (mut parts, body) = request.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        forward_client(&parts.extensions, &mut parts.headers, &app.config.limits.trusted_proxies);
        if let Some(id) = request_id(&parts.extensions) {
            parts.headers.insert(REQUEST_ID, id);
        }
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let patience = self.patience_for(&path);
        Forwarded { parts, path, body: SharedBody::new(body), patience }
    }

    async fn send(
        &self,
        in_flight: InFlight,
        forwarded: &Forwarded,
        shutdown: &Shutdown,
    ) -> Result<Response, Failure> {
        let (copy, patience) = (in_flight.copy(), forwarded.patience);
        let mut request = Request::new(Body::new(forwarded.body.clone()));
        *request.method_mut() = forwarded.parts.method.clone();
        *request.headers_mut() = forwarded.parts.headers.clone();
        *request.uri_mut() = copy.at(&forwarded.path).ok_or(Failure::Unseen)?;
        let trace = ClientSpan::begin(&forwarded.parts.method, &copy.origin, request.headers_mut());
        match self.response(request, forwarded).instrument(trace.span()).await {
            Some(Ok(response)) => {
                trace.record(response.status());
                Ok(response_of(response, patience, in_flight, shutdown))
            }
            Some(Err(error)) => {
                trace.fail("connection");
                Err(self.failed(copy, &error))
            }
            None => {
                trace.fail("timeout");
                tracing::warn!(
                    upstream = %copy.origin,
                    copy = %copy.address,
                    path = forwarded.path.path(),
                    ?patience,
                    "upstream did not answer in time"
                );
                copy.leave_out();
                Err(Failure::Silent)
            }
        }
    }

    /// Logs that the connection to a copy failed, and finds out whether the copy still runs.
    fn failed(&self, copy: &FunctionCopy, error: &Error) -> Failure {
        let failure = if is_unseen(error) { Failure::Unseen } else { Failure::Seen };
        let seen = failure == Failure::Seen;
        tracing::warn!(upstream = %copy.origin, copy = %copy.address, seen, %error, "upstream failed");
        if error.is_connect() {
            copy.leave_out();
        } else {
            copy.suspect();
        }
        self.copies.look_up_now();
        failure
    }

    /// Waits for the head of the response. Returns `None` if it has not arrived within the patience after the
    /// last piece of the request that the copy has read.
    async fn response(
        &self,
        request: Request,
        forwarded: &Forwarded,
    ) -> Option<Result<http::Response<Incoming>, Error>> {
        let Forwarded { body, patience, .. } = forwarded;
        let mut response = self.client.request(request);
        if patience.is_zero() {
            return Some(response.await);
        }
        loop {
            let last = body.last_progress();
            tokio::select! {
                response = &mut response => return Some(response),
                () = sleep_until(last + *patience) => if body.last_progress() == last { return None },
            }
        }
    }

    /// Returns the longest silence of a copy for this request, with its `?wait=`.
    fn patience_for(&self, path: &PathAndQuery) -> Duration {
        if self.patience.is_zero() {
            return Duration::ZERO;
        }
        let wait = query_value(path.query(), "wait").and_then(|wait| wait.parse::<f64>().ok());
        let wait = wait.filter(|wait| (0.0..=WAIT_MAX).contains(wait)).unwrap_or_default();
        let upload = if path.path().ends_with("/upload") { UPLOAD_WAIT } else { Duration::ZERO };
        self.patience + Duration::from_secs_f64(wait) + upload
    }
}

/// Returns the client of all copies of a function. It keeps connections for each address of its own.
fn client() -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_WAIT));
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(KEEPALIVE));
    connector.set_tcp_user_timeout(Some(VANISHED));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_WAIT)
        .build(connector)
}

/// Returns whether the copy cannot have seen the request: there was no connection, or it ended before anything
/// was written.
fn is_unseen(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>());
    error.is_connect() || cause.is_some_and(hyper::Error::is_canceled)
}
