//! Trace contexts of other processes, in headers and in stored notifications (W3C Trace Context).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::{Extensions, HeaderMap, HeaderValue, request::Parts};
use messenger_core::{
    origin::{Origin, RequestId, Traceparent},
    port::Tracing,
};
use opentelemetry::{
    Context,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::TraceContextExt as _,
};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::request_log::RequestLog;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// The id and the trace context of the request, to be stored with its notification or message.
pub struct RequestOrigin(pub Origin);

/// The adapter of the port for traces.
pub(crate) struct TraceContexts;

/// The place of one header.
#[derive(Default)]
struct OneHeader(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for RequestOrigin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let request_id = parts.extensions.get::<RequestLog>().and_then(|log| RequestId::parse(log.id()));
        Ok(Self(Origin { request_id, traceparent: current() }))
    }
}

impl Tracing for TraceContexts {
    fn set_parent(&self, span: &Span, parent: &Traceparent) {
        extract(span, &OneHeader(Some(parent.as_str().to_owned())));
    }
}

/// Returns the id of a request as a header, for a function that the request is forwarded to.
pub fn request_id(extensions: &Extensions) -> Option<HeaderValue> {
    extensions.get::<RequestLog>().and_then(|log| HeaderValue::from_str(log.id()).ok())
}

/// Makes a span the child of the context in the headers of a request, if they have one.
pub(super) fn continue_trace(span: &Span, headers: &HeaderMap) {
    if headers.contains_key(TRACEPARENT) {
        extract(span, &HeaderExtractor(headers));
    }
}

/// Writes the context of a span into the headers of a request.
pub(super) fn inject(span: &Span, headers: &mut HeaderMap) {
    TraceContextPropagator::new().inject_context(&span.context(), &mut HeaderInjector(headers));
    // An empty list is not to be sent (W3C Trace Context, 3.3.1.1).
    if headers.get(TRACESTATE).is_some_and(HeaderValue::is_empty) {
        headers.remove(TRACESTATE);
    }
}

/// Returns the context of the span that is entered; `None` if none is exported.
fn current() -> Option<Traceparent> {
    if !super::is_on() {
        return None;
    }
    let mut header = OneHeader::default();
    TraceContextPropagator::new().inject_context(&Context::current(), &mut header);
    header.0.map(Traceparent::new)
}

fn extract(span: &Span, carrier: &dyn Extractor) {
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), carrier);
    if context.has_active_span() {
        // A span that is not exported has no parent either.
        let _ = span.set_parent(context);
    }
}

impl Injector for OneHeader {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = Some(value);
        }
    }
}

impl Extractor for OneHeader {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.as_deref().filter(|_| key == TRACEPARENT)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
