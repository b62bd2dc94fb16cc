//! Logging: one line for each event; JSON where machines read it.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt};

/// A level, or directives of `tracing`'s `EnvFilter`, from the names that operators use, Python's included: `warning`,
/// `CRITICAL`, `info,messenger_core=DEBUG`. Returns `None` if it is neither.
pub(crate) fn level(given: &str) -> Option<String> {
    let parts: Option<Vec<_>> =
        given.split(',').map(str::trim).filter(|part| !part.is_empty()).map(directive).collect();
    let directives = parts?.join(",");
    (!directives.is_empty() && EnvFilter::try_new(&directives).is_ok()).then_some(directives)
}

/// One directive with the level in the words of `tracing`. A target needs a level: one that is left out is mostly a level
/// that is misspelt.
fn directive(given: &str) -> Option<String> {
    let (target, level) =
        given.rsplit_once('=').map_or((None, given), |(target, level)| (Some(target), level));
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

/// Starts logging to standard error. `level` is a level, or directives of `tracing`'s `EnvFilter`.
pub fn start(level: &str, json: bool) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start, as in tests, keeps the first.
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).compact().try_init()
    };
}
