//! Logging to standard error: one line for each event, with the spans around it; JSON in production.

use std::io::IsTerminal as _;

use messenger_core::origin::TRACE_TARGET;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt as _, registry, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::traces;

/// Starts logging to standard error, and exporting spans if [`traces::start`] has found a collector. `level`
/// is a level, or directives of `tracing`'s `EnvFilter`.
pub fn start(level: &str, json: bool) {
    let filter = filter(level);
    // A second start, as in tests, keeps the first.
    let _ = match traces::layer() {
        Some(spans) => registry().with(spans).with(lines(json).with_filter(filter)).try_init(),
        None => registry().with(filter).with(lines(json)).try_init(),
    };
}

/// Returns the filter of log lines. The spans of traces are in none of them.
pub(crate) fn filter(level: &str) -> EnvFilter {
    let level = EnvFilter::try_new(level).map_or("info", |_| level);
    EnvFilter::new(format!("{level},{TRACE_TARGET}=off"))
}

fn lines<S>(json: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    if json {
        // The list has the innermost span, too.
        lines.json().flatten_event(true).with_current_span(false).boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).compact().boxed()
    }
}
