//! A function that runs elsewhere: requests are passed on and answers streamed back as they come.
//!
//! A request is tried at another copy only when it cannot have been seen by the first: the connection was refused, and
//! its body is at hand. A copy that refused is left out until it answers `/livez` again.

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
    body::{Body, Bytes},
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::sleep;
use tower::Service;

/// Bodies up to this size are kept for another try.
const KEPT_MAX: u64 = 1 << 20;
/// How long a connection may take to be made.
const CONNECT_WAIT: Duration = Duration::from_secs(1);
/// How often a copy that refused is asked whether it is back.
const PROBE: Duration = Duration::from_millis(500);
/// What concerns one connection only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [header::HeaderName; 6] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
];

/// The copies of one function.
#[derive(Clone)]
pub(crate) struct Upstream(Arc<Shared>);

struct Shared {
    client: Client<HttpConnector, Body>,
    copies: Vec<Arc<Copy>>,
    next: AtomicUsize,
}

struct Copy {
    base: Uri,
    away: AtomicBool,
}

impl Upstream {
    /// Parses `http://a:8000,http://b:8000`.
    pub(crate) fn parse(urls: &str) -> Result<Self, String> {
        let mut copies = Vec::new();
        for url in urls.split(',').map(str::trim) {
            let base: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
            if base.scheme_str() != Some("http") || base.authority().is_none() || base.path() != "/" {
                return Err(format!("`{url}` must be like http://host:8000, without a path"));
            }
            copies.push(Arc::new(Copy { base, away: AtomicBool::new(false) }));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_WAIT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self(Arc::new(Shared { client, copies, next: AtomicUsize::new(0) })))
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
        Box::pin(async move { Ok(copies.pass_on(request).await) })
    }
}

impl Shared {
    async fn pass_on(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let kept = match body.size_hint().upper() {
            Some(size) if size <= KEPT_MAX => match body.collect().await {
                Ok(body) => Ok(body.to_bytes()),
                Err(_) => return StatusCode::BAD_REQUEST.into_response(),
            },
            _ => Err(body),
        };
        let order = self.order();
        match kept {
            Ok(bytes) => self.try_each(&order, &parts, &path, &bytes).await,
            // A body that is streamed through can be sent once: to the copy that is most likely there.
            Err(body) => match order.first() {
                Some(copy) => self.send(copy, &parts, &path, body).await.unwrap_or_else(|_| unavailable()),
                None => unavailable(),
            },
        }
    }

    async fn try_each(
        &self,
        order: &[Arc<Copy>],
        parts: &http::request::Parts,
        path: &PathAndQuery,
        body: &Bytes,
    ) -> Response {
        for copy in order {
            match self.send(copy, parts, path, Body::from(body.clone())).await {
                Ok(response) => return response,
                Err(seen) if seen => return StatusCode::BAD_GATEWAY.into_response(),
                Err(_) => {}
            }
        }
        unavailable()
    }

    /// Sends to one copy. The error says whether the copy may have seen the request.
    async fn send(
        &self,
        copy: &Arc<Copy>,
        parts: &http::request::Parts,
        path: &PathAndQuery,
        body: Body,
    ) -> Result<Response, bool> {
        let mut request = Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.headers_mut() = parts.headers.clone();
        *request.uri_mut() = copy.at(path).ok_or(false)?;
        match self.client.request(request).await {
            Ok(response) => {
                let (mut parts, body) = response.into_parts();
                remove_hop_by_hop(&mut parts.headers);
                Ok(Response::from_parts(parts, Body::new(body)))
            }
            Err(error) => {
                let seen = !error.is_connect();
                tracing::warn!(upstream = %copy.base, seen, %error, "an upstream failed");
                if !seen {
                    self.leave_out(copy);
                }
                Err(seen)
            }
        }
    }

    /// Who is there, beginning with another one each time; then, as a last hope, who was away.
    fn order(&self) -> Vec<Arc<Copy>> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let (mut here, away): (Vec<_>, Vec<_>) = (0..self.copies.len())
            .filter_map(|n| self.copies.get((first + n) % self.copies.len()).cloned())
            .partition(|copy| !copy.away.load(Ordering::Relaxed));
        here.extend(away);
        here
    }

    /// Leaves a copy out until it answers again.
    fn leave_out(&self, copy: &Arc<Copy>) {
        if copy.away.swap(true, Ordering::Relaxed) {
            return;
        }
        let (client, copy) = (self.client.clone(), copy.clone());
        tokio::spawn(async move {
            let Some(livez) = copy.at(&PathAndQuery::from_static("/livez")) else { return };
            loop {
                sleep(PROBE).await;
                if client.get(livez.clone()).await.is_ok() {
                    copy.away.store(false, Ordering::Relaxed);
                    tracing::info!(upstream = %copy.base, "an upstream is back");
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

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

fn unavailable() -> Response {
    StatusCode::BAD_GATEWAY.into_response()
}
