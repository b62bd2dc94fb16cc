//! The span of a call to the homeserver in a trace (OpenTelemetry, HTTP client semantic conventions).
//!
//! A URL may hold ids, tokens and names of files. A span has only its template: the words of the Matrix
//! specification in it, each other segment replaced.

use messenger_core::origin::TRACE_TARGET;
use reqwest::{Method, StatusCode, Url};
use tracing::{Span, field::Empty, info_span};

/// The segments of the endpoints that this crate calls.
const WORDS: [&str; 49] = [
    "_matrix",
    "_synapse",
    "account",
    "account_data",
    "admin",
    "all",
    "client",
    "context",
    "createRoom",
    "devices",
    "directory",
    "displayname",
    "download",
    "event",
    "global",
    "invite",
    "join",
    "joined_members",
    "joined_rooms",
    "leave",
    "login",
    "logout",
    "m.direct",
    "m.room.member",
    "m.room.message",
    "m.room.power_levels",
    "media",
    "members",
    "messages",
    "override",
    "password",
    "profile",
    "pushrules",
    "receipt",
    "redact",
    "register",
    "room",
    "rooms",
    "send",
    "state",
    "sync",
    "typing",
    "upload",
    "user",
    "users",
    "v1",
    "v3",
    "versions",
    "whoami",
];
/// The replacement of every other segment.
const PARAMETER: &str = "{id}";

/// Begins the span of a call. Outside of a trace, and in a process that exports none, it costs nothing.
pub(crate) fn client(method: &Method, url: &str) -> Span {
    let span = info_span!(
        target: TRACE_TARGET,
        "homeserver",
        otel.name = Empty,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = Empty,
        http.response.status_code = Empty,
        url.template = Empty,
        server.address = Empty,
        server.port = Empty,
        "error.type" = Empty,
    );
    if !span.is_disabled()
        && let Ok(url) = Url::parse(url)
    {
        let template = template(&url);
        span.record("otel.name", format!("{method} {template}"));
        span.record("http.request.method", method.as_str());
        span.record("url.template", template);
        span.record("server.address", url.host_str());
        span.record("server.port", url.port_or_known_default().map(i64::from));
    }
    span
}

/// Records the status of the response; 4xx and 5xx are errors of a client's span.
pub(crate) fn record(span: &Span, status: Result<StatusCode, &reqwest::Error>) {
    if span.is_disabled() {
        return;
    }
    let kind = match &status {
        Ok(status) => {
            span.record("http.response.status_code", i64::from(status.as_u16()));
            (status.is_client_error() || status.is_server_error()).then_some(status.as_str())
        }
        Err(error) if error.is_timeout() => Some("timeout"),
        Err(_) => Some("connection"),
    };
    if let Some(kind) = kind {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", kind);
    }
}

/// Returns the path of an endpoint with its parameters replaced.
fn template(url: &Url) -> String {
    let words = url.path().split('/').skip(1);
    words.fold(String::new(), |template, word| {
        let segment = if WORDS.contains(&word) { word } else { PARAMETER };
        template + "/" + segment
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_no_id_no_name_and_no_query() {
        for (url, expected) in [
            (
                "http://h:6167/_matrix/client/v3/rooms/%21a%3Ahub.local/send/m.room.message/7f3a.n42?user_id=%40a",
                "/_matrix/client/v3/rooms/{id}/send/m.room.message/{id}",
            ),
            (
                "http://h/_matrix/client/v1/media/download/hub.local/Gehaltsliste",
                "/_matrix/client/v1/media/download/{id}/{id}",
            ),
            (
                "http://h/_matrix/client/v3/directory/room/%23projekt-geheim%3Ahub.local",
                "/_matrix/client/v3/directory/room/{id}",
            ),
            ("http://h/behind/a/proxy/_matrix/client/versions", "/{id}/{id}/{id}/_matrix/client/versions"),
        ] {
            assert_eq!(template(&Url::parse(url).unwrap()), expected);
        }
    }
}
