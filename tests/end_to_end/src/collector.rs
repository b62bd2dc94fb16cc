//! A collector of traces: it takes exports by OTLP over HTTP and keeps their spans.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header::CONTENT_TYPE},
    routing::post,
};
use messenger_core::lock;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse},
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span, span::SpanKind, status::StatusCode as SpanStatus},
};
use prost::Message as _;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::waiting::eventually;

/// The collector. It ends when dropped.
pub struct Collector {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<ExportedSpan>>>,
    task: JoinHandle<()>,
}

/// A span that was exported.
#[derive(Debug, Clone)]
pub struct ExportedSpan {
    /// `service.name` of the process.
    pub service: String,
    /// `service.instance.id` of the process.
    pub instance: String,
    /// The name.
    pub name: String,
    /// The kind.
    pub kind: SpanKind,
    /// The id of the trace, in hexadecimal digits.
    pub trace: String,
    /// The id of the span, in hexadecimal digits.
    pub id: String,
    /// The id of the parent, in hexadecimal digits; empty for a root.
    pub parent: String,
    /// Whether its status is an error.
    pub is_error: bool,
    /// The time between its begin and its end.
    pub duration: Duration,
    /// The attributes as text.
    pub attributes: BTreeMap<String, String>,
}

impl Collector {
    /// Starts a collector on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let spans = Arc::<Mutex<Vec<ExportedSpan>>>::default();
        let collected = spans.clone();
        let export = move |body: Bytes| {
            let collected = collected.clone();
            async move {
                let Ok(request) = ExportTraceServiceRequest::decode(body) else {
                    return (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, "text/plain")], Vec::new());
                };
                lock(&collected).extend(request.resource_spans.into_iter().flat_map(spans_of));
                let response = ExportTraceServiceResponse::default().encode_to_vec();
                (StatusCode::OK, [(CONTENT_TYPE, "application/x-protobuf")], response)
            }
        };
        let routes = Router::new().route("/v1/traces", post(export));
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.expect("it serves") });
        Self { address, spans, task }
    }

    /// Returns the variables with which a program exports its spans here, without delay.
    pub fn environment(&self) -> Vec<(String, String)> {
        let url = format!("http://{}", self.address);
        [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// Returns the spans of a trace so far.
    pub fn trace(&self, trace: &str) -> Vec<ExportedSpan> {
        lock(&self.spans).iter().filter(|span| span.trace == trace).cloned().collect()
    }

    /// Returns all spans so far.
    pub fn spans(&self) -> Vec<ExportedSpan> {
        lock(&self.spans).clone()
    }

    /// Waits for the first span of a trace that is wanted.
    pub async fn wait_for(&self, trace: &str, is_wanted: impl Fn(&ExportedSpan) -> bool) -> ExportedSpan {
        eventually(async || self.trace(trace).into_iter().find(|span| is_wanted(span))).await
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ExportedSpan {
    fn of(service: &str, instance: &str, span: Span) -> Self {
        let took = span.end_time_unix_nano.saturating_sub(span.start_time_unix_nano);
        Self {
            service: service.to_owned(),
            instance: instance.to_owned(),
            kind: span.kind(),
            trace: hex::encode(&span.trace_id),
            id: hex::encode(&span.span_id),
            parent: hex::encode(&span.parent_span_id),
            is_error: span.status.is_some_and(|status| status.code() == SpanStatus::Error),
            duration: Duration::from_nanos(took),
            attributes: texts(span.attributes),
            name: span.name,
        }
    }
}

fn spans_of(export: ResourceSpans) -> impl Iterator<Item = ExportedSpan> {
    let resource = texts(export.resource.map(|resource| resource.attributes).unwrap_or_default());
    let of = |name: &str| resource.get(name).cloned().unwrap_or_default();
    let (service, instance) = (of("service.name"), of("service.instance.id"));
    let spans = export.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans.map(move |span| ExportedSpan::of(&service, &instance, span))
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|one| (one.key, text(one.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => format!("{other:?}"),
    }
}
