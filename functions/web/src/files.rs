//! The files of the built front end, part of the binary.

use std::path::Path;

use axum::{
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY},
    },
    response::{IntoResponse, Response},
};
use messenger_runtime::{entity_tag, negotiation::accepts};

/// A file, with the copies that the build compressed.
pub(crate) struct File {
    pub(crate) path: &'static str,
    pub(crate) bytes: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The name of the page.
const PAGE: &str = "index.html";
/// A year: the name of such a file contains the hash of its content.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Browsers ask each time, so that they never keep a page that is older than the service.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

/// Returns the page as it was built; `None` if the front end was not built before this crate.
pub(crate) fn page() -> Option<&'static File> {
    find(PAGE)
}

/// Returns whether the name is that of a file beside the page.
pub(crate) fn is_of_root(name: &str) -> bool {
    name != PAGE && !name.is_empty() && find(name).is_some()
}

/// Answers with a file, or 404.
pub(crate) fn respond(path: &str, request: &HeaderMap) -> Response {
    let Some(file) = find(path) else { return StatusCode::NOT_FOUND.into_response() };
    if path.starts_with("assets/") {
        return send(file, request, [(CACHE_CONTROL, IMMUTABLE)]);
    }
    let tag = entity_tag::of_content(file.bytes);
    if entity_tag::is_known(request, &tag) {
        return (StatusCode::NOT_MODIFIED, [(CACHE_CONTROL, NO_CACHE), (ETAG, tag)]).into_response();
    }
    send(file, request, [(CACHE_CONTROL, NO_CACHE), (ETAG, tag)])
}

fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

fn send<const N: usize>(
    file: &File,
    request: &HeaderMap,
    headers: [(HeaderName, HeaderValue); N],
) -> Response {
    let copies = [("br", file.brotli), ("gzip", file.gzip)];
    let copy = copies.into_iter().find_map(|(coding, bytes)| {
        Some((coding, bytes?)).filter(|_| accepts(request, &ACCEPT_ENCODING, coding))
    });
    let kind = [(CONTENT_TYPE, media_type(file.path)), (VARY, "Accept-Encoding")];
    match copy {
        Some((coding, bytes)) => (headers, kind, [(CONTENT_ENCODING, coding)], bytes).into_response(),
        None => (headers, kind, file.bytes).into_response(),
    }
}

/// Returns the media type of a file by the end of its name: those that the build makes.
fn media_type(path: &str) -> &'static str {
    match Path::new(path).extension().and_then(|end| end.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "webmanifest") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("mp3") => "audio/mpeg",
        Some("wav") => "audio/wav",
        _ => "application/octet-stream",
    }
}
