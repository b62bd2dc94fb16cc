//! The ES module for pages that read the event log, and its types: files of `shared/hub_messenger_js`, part
//! of the binary.

use axum::{
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
};
use messenger_runtime::{
    Routes, entity_tag,
    openapi::{Operation, ResponseObject},
};
use serde_json::json;

const MODULE: &str = include_str!("../../../shared/hub_messenger_js/hub-messenger.js");
const TYPES: &str = include_str!("../../../shared/hub_messenger_js/hub-messenger.d.ts");

/// Returns the routes of the two files.
pub(crate) fn routes() -> Routes {
    Routes::new("Client", "The ES module for pages that follow events")
        .declare(file("/client/hub-messenger.js", MODULE, &["text/javascript; charset=utf-8"], "getModule"))
        .declare(file(
            "/client/hub-messenger.d.ts",
            TYPES,
            &["application/typescript; charset=utf-8"],
            "getTypes",
        ))
}

fn file(
    path: &'static str,
    text: &'static str,
    kind: &'static [&'static str; 1],
    id: &'static str,
) -> Operation {
    let tag = entity_tag::of_content(text.as_bytes());
    let handler = async move |headers: HeaderMap| answer(text, kind[0], &tag, &headers);
    let etag = json!({ "type": "string" });
    Operation::get(path, handler, id, "Returns a file of the client for pages")
        .parameter("header", "If-None-Match", etag.clone(), "The version that the client has.")
        .answer(ResponseObject::media(200, kind, "The file.").header("ETag", etag, "The version."))
        .answer(ResponseObject::empty(304, "The client has this version."))
}

/// Answers 304 if the client has this version.
fn answer(text: &'static str, kind: &'static str, tag: &HeaderValue, request: &HeaderMap) -> Response {
    let headers = [
        (CONTENT_TYPE.as_str(), kind),
        // Browsers ask each time, so that pages never keep a module that is older than the service.
        (CACHE_CONTROL.as_str(), "no-cache"),
        (X_CONTENT_TYPE_OPTIONS.as_str(), "nosniff"),
        // The files are public: a page of any origin may load them.
        (ACCESS_CONTROL_ALLOW_ORIGIN.as_str(), "*"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
    ];
    let is_known = entity_tag::is_known(request, tag);
    let tag = [(ETAG, tag.clone())];
    if is_known {
        (StatusCode::NOT_MODIFIED, headers, tag).into_response()
    } else {
        (headers, tag, text).into_response()
    }
}
