//! The span of a request that the router forwards (OpenTelemetry, HTTP client semantic conventions).

use http::{HeaderMap, Method, StatusCode, Uri};
use messenger_core::origin::TRACE_TARGET;
use tracing::{Span, field::Empty, info_span};

use super::{context, server::method};

/// The span of a request to another process. It costs nothing if this process exports no traces.
pub struct ClientSpan(Span);

impl ClientSpan {
    /// Begins the span, and writes its context into the headers of the request. Without it the headers stay
    /// as they came, so that the trace continues in the other process.
    pub fn begin(request: &Method, uri: &Uri, headers: &mut HeaderMap) -> Self {
        if !super::is_on() {
            return Self(Span::none());
        }
        let (method, name) = method(request);
        let span = info_span!(
            target: TRACE_TARGET,
            "forward",
            otel.name = name,
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = method,
            server.address = uri.host(),
            server.port = i64::from(uri.port_u16().unwrap_or(80)),
            http.response.status_code = Empty,
            "error.type" = Empty,
        );
        context::inject(&span, headers);
        Self(span)
    }

    /// Returns the span.
    pub fn span(&self) -> Span {
        self.0.clone()
    }

    /// Records the status of the answer: 4xx and 5xx are errors of a client's span.
    pub fn record(&self, status: StatusCode) {
        if self.0.is_disabled() {
            return;
        }
        self.0.record("http.response.status_code", i64::from(status.as_u16()));
        if status.is_client_error() || status.is_server_error() {
            self.fail(status.as_str());
        }
    }

    /// Marks the span as failed, by the kind of the error.
    pub fn fail(&self, kind: &str) {
        self.0.record("otel.status_code", "ERROR");
        self.0.record("error.type", kind);
    }
}
