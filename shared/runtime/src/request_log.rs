//! The span of a request, and the line that closes a request that failed or was refused.
//!
//! Neither holds anything that the client chose, except for a well-formed request id, and the path of a failed
//! request: no query, which may hold a token, and no body.

use std::{
    error::Error as StdError,
    fmt::Write as _,
    sync::{Arc, OnceLock},
};

use axum::extract::{MatchedPath, Request};
use http::{HeaderMap, Method, StatusCode, Uri, request::Parts};
use messenger_core::{Error, id::TenantId, origin::RequestId};
use tokio::time::Instant;
use tracing::{Span, field::Empty};
use uuid::Uuid;

/// The header that names a request, from its client or router to answers and logs.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// Most wrong fields that a line names.
const FIELDS_MAX: usize = 5;

/// A request in the log: an extension of the request. Clones are the same.
#[derive(Clone)]
pub(crate) struct RequestLog(Arc<Inner>);

struct Inner {
    id: String,
    method: Method,
    uri: Uri,
    /// The pattern of the route; `None` if no route matches.
    route: Option<MatchedPath>,
    /// The tenant of the caller, as soon as a token was verified.
    tenant: OnceLock<TenantId>,
    begun: Instant,
    span: Span,
}

impl RequestLog {
    /// Gives a request an id and a span, and attaches them to it. The id is that of the client or router, if
    /// it is well-formed.
    pub(crate) fn attach(request: &mut Request) -> Self {
        let (id, method) = (inbound_id(request.headers()).unwrap_or_else(new_id), request.method().clone());
        let route = request.extensions().get::<MatchedPath>().cloned();
        // At level `error`, so that it is there whenever any line is.
        let span = tracing::error_span!(
            "request",
            request_id = %id,
            %method,
            route = pattern(route.as_ref()),
            tenant = Empty,
        );
        let uri = request.uri().clone();
        let (tenant, begun) = (OnceLock::new(), Instant::now());
        let log = Self(Arc::new(Inner { id, method, uri, route, tenant, begun, span }));
        request.extensions_mut().insert(log.clone());
        log
    }

    /// Adds the tenant to the span of a request and to its closing line.
    pub(crate) fn record_tenant(parts: &Parts, tenant: TenantId) {
        if let Some(Self(log)) = parts.extensions.get::<Self>()
            && log.tenant.set(tenant).is_ok()
        {
            log.span.record("tenant", tenant.0);
        }
    }

    /// Returns the id of the request.
    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns the span of the request.
    pub(crate) fn span(&self) -> Span {
        self.0.span.clone()
    }

    /// Logs the error that a request ended with: a failure with its cause, a refusal with its code.
    pub(crate) fn log(&self, error: &Error, status: StatusCode) {
        if status.is_server_error() {
            self.log_failure(error, status);
        } else if tracing::enabled!(tracing::Level::INFO) {
            self.log_refusal(status, error.code(), &wrong_fields(error));
        }
    }

    fn log_failure(&self, error: &Error, status: StatusCode) {
        let Inner { id: request_id, method, uri, route, tenant, begun, .. } = &*self.0;
        tracing::error!(
            status = status.as_u16(),
            code = error.code(),
            %request_id,
            request = format!("{method} {}", uri.path()),
            route = pattern(route.as_ref()),
            tenant = tenant.get().map(|tenant| tenant.0),
            latency_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            cause = causes(error),
            "request failed"
        );
    }

    /// Logs the refusal of a request: the line by which an operator finds what a client reports. It names
    /// wrong fields, and holds nothing that the client sent.
    pub(crate) fn log_refusal(&self, status: StatusCode, code: &str, fields: &str) {
        let Inner { id: request_id, method, route, tenant, .. } = &*self.0;
        tracing::info!(
            status = status.as_u16(),
            code,
            %request_id,
            method = method.as_str(),
            route = pattern(route.as_ref()),
            tenant = tenant.get().map(|tenant| tenant.0),
            fields = (!fields.is_empty()).then_some(fields),
            "request refused"
        );
    }
}

/// Returns the id that the client or router gave the request; `None` if it has none that a log line may hold.
fn inbound_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    RequestId::parse(id).map(|id| id.as_str().to_owned())
}

/// Returns an id for a request, in answers and logs.
pub(crate) fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}

fn pattern(route: Option<&MatchedPath>) -> &str {
    route.map_or("none", MatchedPath::as_str)
}

fn wrong_fields(error: &Error) -> String {
    let Error::Invalid(problems) = error else { return String::new() };
    let pointers: Vec<_> = problems.iter().take(FIELDS_MAX).map(|problem| problem.pointer.as_str()).collect();
    pointers.join(" ")
}

/// Returns the error and the chain of its causes in one line.
fn causes(error: &Error) -> String {
    let mut line = error.to_string();
    let mut next = match error {
        Error::Fault(fault) => fault.source(),
        other => other.source(),
    };
    while let Some(cause) = next {
        // Writing to a String cannot fail.
        let _ = write!(line, ": {cause}");
        next = cause.source();
    }
    line
}
