//! Traces, exported by OTLP over HTTP if the environment names a collector; else no code of OpenTelemetry
//! runs.
//!
//! Exported spans have the target [`TRACE_TARGET`] and are shown in no log line; spans of log lines are not
//! exported. The filter of the exporting layer keeps the two apart. Names and attributes are those of
//! OpenTelemetry's semantic conventions (docs/tracing.md). No attribute holds a path, a query, a token, a
//! name or a text.

mod client;
mod context;
mod export;
mod server;

use std::{sync::OnceLock, time::Duration};

use messenger_core::origin::TRACE_TARGET;
use opentelemetry::{
    Context,
    trace::{TraceContextExt, TracerProvider as _},
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::{sync::oneshot, time::timeout};
use tracing::{Subscriber, level_filters::LevelFilter, subscriber::Interest};
use tracing_subscriber::{Layer, filter::dynamic_filter_fn, registry::LookupSpan};

use crate::Config;

pub use client::ClientSpan;
pub(crate) use context::TraceContexts;
pub use context::{RequestOrigin, request_id};
pub(crate) use server::ServerSpan;

/// The longest that a collector delays the end of a process or of an invocation.
const EXPORT_WAIT: Duration = Duration::from_secs(1);
/// The name of the instrumentation scope of all spans.
const SCOPE: &str = "messenger";
/// The name of the spans that exist within a trace only. A worker calls the homeserver several times a second
/// outside of any trace.
const CHILD_ONLY: &str = "homeserver";

/// The provider of this process; empty if it exports no traces.
static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Starts the exporter of this process, if the configuration names a collector. Does not wait for it.
///
/// # Errors
/// Says which variable the exporter cannot use.
pub fn start(config: &Config) -> Result<(), String> {
    if config.traces.is_on {
        let provider = export::provider(&config.traces)?;
        // A second start, as in tests, keeps the first.
        let _ = PROVIDER.set(provider);
    }
    Ok(())
}

/// Returns whether this process exports traces.
pub(crate) fn is_on() -> bool {
    PROVIDER.get().is_some()
}

/// Returns the layer that exports spans; `None` if the process exports no traces.
pub(crate) fn layer<S>() -> Option<impl Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let provider = PROVIDER.get()?;
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SCOPE))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    let filter = dynamic_filter_fn(|metadata, _| {
        metadata.target() == TRACE_TARGET
            && (metadata.name() != CHILD_ONLY || Context::map_current(TraceContextExt::has_active_span))
    });
    let filter = filter
        .with_callsite_filter(|metadata| {
            if metadata.target() == TRACE_TARGET { Interest::sometimes() } else { Interest::never() }
        })
        .with_max_level_hint(LevelFilter::INFO);
    Some(layer.with_filter(filter))
}

/// Exports the spans that have ended. Returns after [`EXPORT_WAIT`] at the latest. On Lambda the process is
/// frozen between two invocations.
pub async fn flush() {
    let Some(provider) = PROVIDER.get() else { return };
    let (flushed, done) = oneshot::channel();
    // A thread of its own: the end of the runtime would wait for one of its blocking tasks.
    std::thread::spawn(move || {
        // Failures are logged by the exporter. The receiver may have given up.
        let _ = flushed.send(provider.force_flush());
    });
    let _ = timeout(EXPORT_WAIT, done).await;
}

/// Exports the spans that have ended, and ends the exporter. Returns after [`EXPORT_WAIT`] at the latest. The
/// end of a process; not to be called within the asynchronous runtime.
pub fn end() {
    if let Some(provider) = PROVIDER.get() {
        // Failures are logged by the exporter.
        let _ = provider.shutdown_with_timeout(EXPORT_WAIT);
    }
}
