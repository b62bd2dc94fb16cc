//! The ES module for pages that read the event log, and its types: files of `shared/hub_messenger_js`, part
//! of the binary.

use axum::{
    Router,
    http::{
        HeaderMap, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use messenger_runtime::App;
use sha2::{Digest, Sha256};

const MODULE: &str = include_str!("../../../shared/hub_messenger_js/hub-messenger.js");
const TYPES: &str = include_str!("../../../shared/hub_messenger_js/hub-messenger.d.ts");

/// The routes of the two files.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/client/hub-messenger.js", file(MODULE, "text/javascript; charset=utf-8"))
        .route("/client/hub-messenger.d.ts", file(TYPES, "application/typescript; charset=utf-8"))
}

fn file(text: &'static str, kind: &'static str) -> axum::routing::MethodRouter<App> {
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(text.as_bytes())));
    get(async move |headers: HeaderMap| answer(text, kind, &tag, &headers))
}

/// Answers 304 if the client has this version.
fn answer(text: &'static str, kind: &'static str, tag: &str, request: &HeaderMap) -> Response {
    let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let is_known = known
        .flat_map(|tags| tags.split(','))
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*");
    let headers = [
        (CONTENT_TYPE.as_str(), kind),
        // Browsers ask each time, so that pages never keep a module that is older than the service.
        (CACHE_CONTROL.as_str(), "no-cache"),
        (ETAG.as_str(), tag),
        (X_CONTENT_TYPE_OPTIONS.as_str(), "nosniff"),
        // The files are public: a page of any origin may load them.
        (ACCESS_CONTROL_ALLOW_ORIGIN.as_str(), "*"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
    ];
    if is_known {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, text).into_response()
    }
}
