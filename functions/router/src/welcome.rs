//! `GET /`: a page for people who open the address of the service in a browser, JSON for programs.

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, HeaderValue,
        header::{ACCEPT, CONTENT_SECURITY_POLICY, VARY},
    },
    response::{Html, IntoResponse, Response},
};
use messenger_runtime::{
    App, Routes,
    openapi::{Operation, ResponseObject},
};
use serde_json::json;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The policy of a page without scripts and styles, which loads nothing and is shown in no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

pub(crate) fn routes() -> Routes {
    let types = &["application/json", "text/html; charset=utf-8"];
    Routes::new("Start", "The address of the service").declare(
        Operation::get("/", welcome, "getSummary", "Says what this service is, to people and to programs")
            .answer(ResponseObject::media(200, types, "A page for browsers, JSON for programs.")),
    )
}

async fn welcome(State(app): State<App>, headers: HeaderMap) -> Response {
    let base = &app.config.serving.base_path;
    let mut response = if wants_html(&headers) {
        Html(page(base)).into_response()
    } else {
        Json(summary(base)).into_response()
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// Returns whether the client accepts HTML by name, as browsers do.
fn wants_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    accepted.flat_map(|accept| accept.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let is_refused = parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)));
        kind.eq_ignore_ascii_case("text/html") && !is_refused
    })
}

fn summary(base: &str) -> serde_json::Value {
    json!({
        "service": "messenger-service",
        "version": VERSION,
        "api": format!("{base}/api/v1"),
        "health": format!("{base}/api/v1/health"),
        "probes": [format!("{base}/livez"), format!("{base}/readyz")],
        "documentation": "README.md",
        "docs": format!("{base}/docs"),
        "openapi": format!("{base}/openapi.json"),
    })
}

fn page(base: &str) -> String {
    format!(
        "<!doctype html>\n\
<html lang=\"de\">\n\
<head>\n\
<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n\
<meta name=\"color-scheme\" content=\"light dark\">\n\
<title>Messenger-Service</title>\n\
</head>\n\
<body>\n\
<main>\n\
<h1>Messenger-Service {VERSION}</h1>\n\
<p>Der Messenger des Hubs: Benachrichtigungen, Ereignisse und Chat. Diese Adresse ist die einer Schnittstelle für \
Programme, unter <code>{base}/api/v1</code>.</p>\n\
<p><a href=\"{base}/docs\">Beschreibung der Schnittstelle</a>. <a href=\"{base}/api/v1/health\">Zustand des Dienstes</a>. Wie er benutzt und eingerichtet wird, steht in der Datei \
<code>README.md</code> seines Quelltexts.</p>\n\
<section lang=\"en\">\n\
<h2>In English</h2>\n\
<p>The messenger of the hub: notifications, events and chat. This is the address of an interface for programs, at \
<code>{base}/api/v1</code>.</p>\n\
<p><a href=\"{base}/docs\">Description of the interface</a>. <a href=\"{base}/api/v1/health\">Health of the service</a>. The file <code>README.md</code> of its source says how to use \
and configure it.</p>\n\
</section>\n\
</main>\n\
</body>\n\
</html>\n"
    )
}
