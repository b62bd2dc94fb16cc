//! The span of a request that this process serves (OpenTelemetry, HTTP server semantic conventions).

use axum::extract::{MatchedPath, Request};
use http::{Method, StatusCode};
use messenger_core::origin::TRACE_TARGET;
use tracing::{Span, field::Empty, info_span};

use super::context;

/// Routes without spans: they are asked every few seconds, by programs.
const UNTRACED: [&str; 3] = ["/livez", "/readyz", "/metrics"];
/// The methods that an attribute may name. Any other one is [`OTHER`].
const METHODS: [Method; 9] = [
    Method::CONNECT,
    Method::DELETE,
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];
const OTHER: &str = "_OTHER";

/// The span of a request, of an event stream until its head is sent. It costs nothing if the process exports
/// no traces.
pub(crate) struct ServerSpan(Span);

impl ServerSpan {
    /// Begins the span, as a child of the context in the request's headers.
    pub(crate) fn begin(request: &Request, id: &str) -> Self {
        let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        if !super::is_on() || route.is_some_and(|route| UNTRACED.contains(&route)) {
            return Self(Span::none());
        }
        let (method, name) = method(request.method());
        let span = info_span!(
            target: TRACE_TARGET,
            "request",
            otel.name = route.map_or_else(|| name.to_owned(), |route| format!("{name} {route}")),
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = Empty,
            "error.type" = Empty,
            messenger.request_id = id,
        );
        context::continue_trace(&span, request.headers());
        Self(span)
    }

    /// Returns the span.
    pub(crate) fn span(&self) -> Span {
        self.0.clone()
    }

    /// Records the status of the answer. Only a failure of this service is an error of the span.
    pub(crate) fn record(&self, status: StatusCode) {
        if self.0.is_disabled() {
            return;
        }
        self.0.record("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            self.0.record("otel.status_code", "ERROR");
            self.0.record("error.type", status.as_str());
        }
    }
}

/// Returns a method as an attribute, and as the begin of a span's name.
pub(super) fn method(method: &Method) -> (&str, &str) {
    if METHODS.contains(method) { (method.as_str(), method.as_str()) } else { (OTHER, "HTTP") }
}
