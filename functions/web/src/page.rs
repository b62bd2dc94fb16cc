//! The page: `index.html` of the built front end, or a placeholder that names the command which builds it.

use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, VARY},
    },
    response::{Html, IntoResponse, Response},
};
use messenger_runtime::{App, entity_tag};

use crate::{
    files,
    headers::{hardening, policy},
};

/// The element of the built page with the base of its relative links.
const BASE: &str = "<base href=\"/\">";

/// Answers with the page.
pub(crate) fn respond(app: &App, request: &HeaderMap) -> Response {
    let base = &app.config.serving.base_path;
    let built = files::page().and_then(|page| std::str::from_utf8(page.bytes).ok());
    let html = match built {
        Some(page) => page.replacen(BASE, &format!("<base href=\"{base}/\">"), 1),
        None => placeholder(base),
    };
    let tag = entity_tag::of_content(html.as_bytes());
    let headers = [
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ETAG, tag.clone()),
        (VARY, HeaderValue::from_static("Accept")),
        (CONTENT_SECURITY_POLICY, policy(&app.config.web.frame_ancestors)),
    ];
    if entity_tag::is_known(request, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, hardening(), Html(html)).into_response()
}

/// Returns the page of a program that was built without the front end.
fn placeholder(base: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "<!doctype html>\n\
<html lang=\"de\">\n\
<head>\n\
<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n\
<meta name=\"color-scheme\" content=\"light dark\">\n\
<title>Messenger</title>\n\
</head>\n\
<body>\n\
<main>\n\
<h1>Messenger-Service {version}</h1>\n\
<p>Der Messenger des Hubs. Dieses Programm wurde ohne die Weboberfläche gebaut: <code>cargo xtask web build</code> \
baut sie, und das nächste <code>cargo build</code> bettet sie ein.</p>\n\
<p><a href=\"{base}/docs\">Beschreibung der Schnittstelle</a>. <a href=\"{base}/api/v1/health\">Zustand des \
Dienstes</a>.</p>\n\
<section lang=\"en\">\n\
<h2>In English</h2>\n\
<p>The messenger of the hub. This program was built without its web pages: <code>cargo xtask web build</code> builds \
them, and the next <code>cargo build</code> embeds them.</p>\n\
<p><a href=\"{base}/docs\">Description of the interface</a>. <a href=\"{base}/api/v1/health\">Health of the \
service</a>.</p>\n\
</section>\n\
</main>\n\
</body>\n\
</html>\n"
    )
}
