//! The metrics of a process in the text format of Prometheus, and the count of its requests.
//!
//! Counters of the hot paths are plain numbers of their owners (broker, delivery, pool, homeserver's client),
//! and `probes/scrape.rs` reads them at a scrape. Label values come from closed sets: no tenant, user, room
//! or text.

pub(crate) mod names;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{Method, StatusCode};
use metrics::{Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::time::Instant;

use self::names::Kind;
use crate::Program;

/// The upper bounds of the buckets of request durations, in seconds. A poll may wait for 25 seconds.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// The interval at which recorded durations are sorted into their buckets without a scrape.
const DRAIN: Duration = Duration::from_secs(5);
const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The metrics of one process.
pub(crate) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Metrics {
    /// Describes all metrics of a program. Each series carries the program's name as `function`.
    pub(crate) fn new(program: &Program) -> Self {
        // It refuses an empty list of buckets only.
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(names::REQUEST_DURATION.to_owned()), &BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.add_global_label("function", program.short_name()).build_recorder();
        for (kind, name, help) in names::ALL {
            match kind {
                Kind::Counter => recorder.describe_counter(name.into(), None, help.into()),
                Kind::Gauge => recorder.describe_gauge(name.into(), None, help.into()),
                Kind::Histogram => recorder.describe_histogram(name.into(), None, help.into()),
            }
        }
        let metrics = Self { handle: recorder.handle(), recorder };
        metrics.gauge(names::BUILD_INFO, &[("version", program.version())], 1.0);
        metrics
    }

    /// Sorts recorded durations into their buckets at intervals, until the future is dropped: without it they
    /// would pile up without a scrape.
    pub(crate) async fn drain(&self) {
        loop {
            tokio::time::sleep(DRAIN).await;
            self.handle.run_upkeep();
        }
    }

    /// Returns all series in the text format.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Sets a gauge.
    pub(crate) fn gauge(&self, name: &'static str, labels: &[(&'static str, &'static str)], value: f64) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| Label::from_static_parts(name, value)).collect();
        self.recorder.register_gauge(&Key::from_parts(name, labels), &METADATA).set(value);
    }

    /// Sets a counter to the number that its owner has counted so far.
    pub(crate) fn counter(&self, name: &'static str, labels: &[(&'static str, &'static str)], value: u64) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| Label::from_static_parts(name, value)).collect();
        self.recorder.register_counter(&Key::from_parts(name, labels), &METADATA).absolute(value);
    }

    fn count_request(&self, method: &'static str, route: &str, status: StatusCode, took: Duration) {
        let method = Label::from_static_parts("method", method);
        let route = Label::new("route", route.to_owned());
        let key = Key::from_parts(names::REQUEST_DURATION, vec![method.clone(), route.clone()]);
        self.recorder.register_histogram(&key, &METADATA).record(took.as_secs_f64());
        let status = Label::new("status", status.as_u16().to_string());
        let key = Key::from_parts(names::REQUESTS, vec![method, route, status]);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }
}

/// Counts each request, by the pattern of its route.
pub(crate) async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let (begun, method) = (Instant::now(), method(request.method()));
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    metrics.count_request(method, route, response.status(), begun.elapsed());
    response
}

/// Returns the name of a method that this service has; `other` for any other, which clients may invent.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
