//! Logging to standard error: one line for each event, with the spans around it; JSON in production.

use std::io::IsTerminal as _;

use messenger_core::origin::TRACE_TARGET;
use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt as _, registry, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::traces;

/// Parses a level, or directives of `tracing`'s `EnvFilter`. Levels have the names that operators use,
/// Python's included: `warning`, `CRITICAL`, `info,messenger_core=DEBUG`. Returns `None` if it is neither.
pub(crate) fn level(text: &str) -> Option<String> {
    let parts: Option<Vec<_>> =
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(directive).collect();
    let directives = parts?.join(",");
    (!directives.is_empty() && EnvFilter::try_new(&directives).is_ok()).then_some(directives)
}

/// Parses one directive into the words of `tracing`. A target without a level is refused: it is mostly a
/// misspelt level.
fn directive(text: &str) -> Option<String> {
    let (target, level) = text.rsplit_once('=').map_or((None, text), |(target, level)| (Some(target), level));
    let level = match level.trim().to_ascii_lowercase().as_str() {
        "off" => "off",
        "critical" | "fatal" | "error" => "error",
        "warning" | "warn" => "warn",
        "info" => "info",
        "debug" => "debug",
        "notset" | "trace" => "trace",
        _ => return None,
    };
    Some(target.map_or_else(|| level.to_owned(), |target| format!("{}={level}", target.trim())))
}

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
