//! The web messenger: the pages at the address of the service.
//!
//! ```text
//! GET /               the page, for browsers; a description of the service, for programs
//! GET /assets/{path}  the files of the page, which never change under their names
//! GET /client-config  the settings that the page needs before the sign-in
//! GET …               the page, for browsers that open any other path without a route
//! ```

mod client_config;
mod files;
mod headers;
mod page;
mod summary;

use axum::{
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use messenger_runtime::{
    App, Routes,
    openapi::{Operation, ResponseObject},
};

use self::headers::wants_html;

/// The first segments of paths that belong to interfaces: a wrong path below them is 404 for browsers, too.
const INTERFACES: [&str; 7] = ["api", "assets", "auth", "client", "_matrix", ".well-known", "docs"];

/// Returns the routes of this function, and the page for each path that no function has.
pub fn routes() -> Routes {
    let types = &["application/json", "text/html; charset=utf-8"];
    let file = ResponseObject::media(200, &["*/*"], "The file.");
    Routes::new("Web", "The web messenger")
        .declare(
            Operation::get(
                "/",
                root,
                "getSummary",
                "Shows the messenger to people, and says what this is to programs",
            )
            .answer(ResponseObject::media(200, types, "A page for browsers, JSON for programs.")),
        )
        .declare(
            Operation::get("/assets/{path}", asset, "getAsset", "Returns a file of the page")
                .answer(file)
                .refuses(&[messenger_runtime::openapi::code::NOT_FOUND]),
        )
        .declare(client_config::operation())
        .with(|router| router.fallback(page_or_not_found))
}

async fn root(State(app): State<App>, headers: HeaderMap) -> Response {
    if wants_html(&headers) { page::respond(&app, &headers) } else { summary::respond(&app) }
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    files::respond(&format!("assets/{path}"), &headers)
}

/// Answers a request without a route: files of the root such as `boot.js`, and the page for a browser that
/// opens a path of the application.
async fn page_or_not_found(State(app): State<App>, request: Request) -> Response {
    let (path, headers) = (request.uri().path(), request.headers());
    let is_read = matches!(*request.method(), http::Method::GET | http::Method::HEAD);
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if is_read && files::is_of_root(first) && path == format!("/{first}") {
        return files::respond(first, headers);
    }
    if is_read && wants_html(headers) && !INTERFACES.contains(&first) {
        return page::respond(&app, headers);
    }
    StatusCode::NOT_FOUND.into_response()
}
