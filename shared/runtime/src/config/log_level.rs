//! `LOG_LEVEL`, in the names that operators use.

use tracing_subscriber::EnvFilter;

/// Parses a level, or directives of `tracing`'s `EnvFilter`. Levels have the names that operators use,
/// Python's included: `warning`, `CRITICAL`, `info,messenger_core=DEBUG`. Returns `None` if it is neither.
pub(super) fn parse(text: &str) -> Option<String> {
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
