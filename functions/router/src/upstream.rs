//! An upstream: a function in other processes. Requests are forwarded to one of its copies, and responses are
//! streamed back.
//!
//! A request is tried at another copy only if the first cannot have seen it, because it refused the
//! connection. A copy that refused the connection, or was silent for too long, is left out until it answers
//! `/livez` again.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, StatusCode, Uri, header, uri::PathAndQuery};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use messenger_runtime::{
    fields::query_value,
    limits::{MinimumRate, MinimumRateBody},
    traces::{ClientSpan, request_id},
};
use tokio::time::{sleep, sleep_until, timeout};
use tower::Service;
use tracing::Instrument as _;

use crate::{
    forwarding::{forward_for, forward_host, remove_hop_by_hop},
    shared_body::SharedBody,
};

/// The id of the request, the same in the log of the router and of the function.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Time limit of connecting to a copy.
const CONNECT_WAIT: Duration = Duration::from_secs(1);
/// Pause between probes of a copy that is left out.
const PROBE: Duration = Duration::from_millis(500);
/// Time limit of a probe.
const PROBE_WAIT: Duration = Duration::from_secs(2);
/// The additional time limit of an upload, which is that of the homeserver for a file.
const UPLOAD_WAIT: Duration = Duration::from_mins(5);
/// The longest `?wait=` of any call, in seconds.
const WAIT_MAX: f64 = 25.0;

/// The copies of one function.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Shared>);

struct Shared {
    client: Client<HttpConnector, Body>,
    copies: Vec<Arc<Copy>>,
    next: AtomicUsize,
    /// The longest silence of a copy; zero is no limit.
    patience: Duration,
}

struct Copy {
    base: Uri,
    is_left_out: AtomicBool,
}

impl Upstream {
    /// Parses `http://a:8000,http://b:8000`. `patience` is the longest silence of a copy; zero is no limit.
    pub(crate) fn parse(urls: &str, patience: Duration) -> Result<Self, String> {
        let mut copies = Vec::new();
        for url in urls.split(',').map(str::trim) {
            let base: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
            if base.scheme_str() != Some("http") || base.authority().is_none() || base.path() != "/" {
                return Err(format!("`{url}` must be like http://host:8000, without a path"));
            }
            copies.push(Arc::new(Copy { base, is_left_out: AtomicBool::new(false) }));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WAIT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self(Arc::new(Shared { client, copies, next: AtomicUsize::new(0), patience })))
    }
}

impl Service<Request> for Upstream {
    type Response = Response;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let copies = self.0.clone();
        Box::pin(async move { Ok(copies.forward(request).await) })
    }
}

/// The reason for which a copy did not answer.
enum Failure {
    /// It cannot have seen the request.
    Unseen,
    /// It may have seen the request.
    Seen,
    /// It was silent for too long.
    Silent,
}

impl Shared {
    async fn forward(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        forward_host(&mut parts.headers);
        forward_for(&parts.extensions, &mut parts.headers);
        if let Some(id) = request_id(&parts.extensions) {
            parts.headers.insert(REQUEST_ID, id);
        }
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let body = SharedBody::new(body);
        for copy in self.order() {
            match self.send(&copy, &parts, &path, &body).await {
                Ok(response) => return response,
                Err(Failure::Unseen) if !body.is_read() => {}
                Err(Failure::Unseen | Failure::Seen) => break,
                Err(Failure::Silent) => return StatusCode::GATEWAY_TIMEOUT.into_response(),
            }
        }
        StatusCode::BAD_GATEWAY.into_response()
    }

    async fn send(
        &self,
        copy: &Arc<Copy>,
        parts: &http::request::Parts,
        path: &PathAndQuery,
        body: &SharedBody,
    ) -> Result<Response, Failure> {
        let mut request = Request::new(Body::new(body.clone()));
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        *request.uri_mut() = copy.at(path).ok_or(Failure::Unseen)?;
        let patience = self.patience_for(path);
        let trace = ClientSpan::begin(&parts.method, &copy.base, request.headers_mut());
        match self.response(request, body, patience).instrument(trace.span()).await {
            Some(Ok(response)) => {
                trace.record(response.status());
                Ok(response_of(response, patience))
            }
            Some(Err(error)) => {
                trace.fail("connection");
                let seen = !error.is_connect();
                tracing::warn!(upstream = %copy.base, seen, %error, "upstream failed");
                if !seen {
                    self.leave_out(copy);
                }
                Err(if seen { Failure::Seen } else { Failure::Unseen })
            }
            None => {
                trace.fail("timeout");
                tracing::warn!(upstream = %copy.base, path = path.path(), ?patience, "upstream did not answer in time");
                self.leave_out(copy);
                Err(Failure::Silent)
            }
        }
    }

    /// Waits for the head of the response. Returns `None` if it has not arrived within `patience` of the last
    /// piece of the request that the copy has read.
    async fn response(
        &self,
        request: Request,
        body: &SharedBody,
        patience: Duration,
    ) -> Option<Result<http::Response<hyper::body::Incoming>, hyper_util::client::legacy::Error>> {
        let mut response = self.client.request(request);
        if patience.is_zero() {
            return Some(response.await);
        }
        loop {
            let last = body.last_progress();
            tokio::select! {
                response = &mut response => return Some(response),
                () = sleep_until(last + patience) => if body.last_progress() == last { return None },
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

    /// Returns the copies in the order in which they are tried: available ones in rotation, then those that
    /// are left out.
    fn order(&self) -> Vec<Arc<Copy>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let (mut available, left_out): (Vec<_>, Vec<_>) = (0..self.copies.len())
            .filter_map(|n| self.copies.get((first + n) % self.copies.len()).cloned())
            .partition(|copy| !copy.is_left_out.load(Ordering::Relaxed));
        available.extend(left_out);
        available
    }

    /// Leaves a copy out until it answers a probe.
    fn leave_out(&self, copy: &Arc<Copy>) {
        if copy.is_left_out.swap(true, Ordering::Relaxed) {
            return;
        }
        let (client, copy) = (self.client.clone(), copy.clone());
        tokio::spawn(async move {
            let Some(livez) = copy.at(&PathAndQuery::from_static("/livez")) else { return };
            loop {
                sleep(PROBE).await;
                if matches!(timeout(PROBE_WAIT, client.get(livez.clone())).await, Ok(Ok(_))) {
                    copy.is_left_out.store(false, Ordering::Relaxed);
                    tracing::info!(upstream = %copy.base, "upstream answers again");
                    return;
                }
            }
        });
    }
}

impl Copy {
    fn at(&self, path: &PathAndQuery) -> Option<Uri> {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(path.clone());
        Uri::from_parts(parts).ok()
    }
}

/// Returns the response of a copy. An event stream may be silent without limit, any other body for as long as
/// its head.
fn response_of(response: http::Response<hyper::body::Incoming>, patience: Duration) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = Body::new(body);
    let body = if is_event_stream(&parts.headers) {
        body
    } else {
        let rate = MinimumRate { silence: patience, bytes_per_second: 0 };
        Body::new(MinimumRateBody::new(body, rate))
    };
    remove_hop_by_hop(&mut parts.headers);
    Response::from_parts(parts, body)
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    kind.to_ascii_lowercase().starts_with(b"text/event-stream")
}
