//! `GET /docs`: the description of all functions as a page for developers. It needs no script and loads its
//! style from this address alone.

mod operation;
mod schema;
mod text;

use std::sync::{Arc, LazyLock};

use axum::{
    body::Bytes,
    http::{
        HeaderValue,
        header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{Html, IntoResponse},
};
use messenger_runtime::{
    Routes,
    openapi::{Operation, ResponseObject},
};
use serde_json::Value;

use self::{
    operation::operation,
    schema::definition,
    text::{escaped, list, members, text},
};

/// The policy of the page: no scripts, no frames, and no resources of other origins.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const STYLE: &str = include_str!("docs/style.css");

/// Returns the routes of the page. Its links are relative, so that they are below `BASE_PATH` as it is.
/// `document` makes the description that it shows.
pub(crate) fn routes(document: fn() -> Option<Value>) -> Routes {
    let made = Arc::new(LazyLock::new(move || Bytes::from(page(&document().unwrap_or_default()))));
    let show = async move || {
        let html = Bytes::clone(&made);
        ([(CONTENT_SECURITY_POLICY, POLICY)], Html(html)).into_response()
    };
    let style = async || ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE);
    Routes::new("Documentation", "This interface as a page")
        .declare(
            Operation::get("/docs", show, "getDocs", "Shows this description to people")
                .answer(ResponseObject::media(200, &["text/html; charset=utf-8"], "A page.")),
        )
        .declare(
            Operation::get("/docs/style.css", style, "getDocsStyle", "Returns the style of the page")
                .answer(ResponseObject::media(200, &["text/css; charset=utf-8"], "The style.")),
        )
}

fn page(document: &Value) -> String {
    let info = &document["info"];
    let (title, version) = (escaped(text(&info["title"])), escaped(text(&info["version"])));
    let tags = list(&document["tags"]);
    let links: String = tags.iter().map(|tag| contents(document, tag)).collect();
    let groups: String = tags.iter().map(|tag| group(document, tag)).collect();
    let schemas = members(&document["components"]["schemas"]);
    let schemas: String = schemas.map(|(name, schema)| definition(name, schema)).collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
<title>{title} {version}: HTTP API</title>\n<link rel=\"stylesheet\" href=\"docs/style.css\">\n</head>\n<body>\n\
<nav aria-label=\"Contents\">\n<ul>{links}<li><a href=\"#schemas\">Schemas</a></li></ul>\n</nav>\n<main>\n\
<h1>{title} <small>{version}</small></h1>\n<p>{}</p>\n<p>{}</p>\n\
<p>For programs: <a href=\"openapi.json\">openapi.json</a> (OpenAPI {}).</p>\n\
{groups}<section id=\"schemas\">\n<h2>Schemas</h2>\n{schemas}</section>\n</main>\n</body>\n</html>\n",
        escaped(text(&info["summary"])),
        escaped(text(&info["description"])),
        escaped(text(&document["openapi"])),
    )
}

/// Returns the lines of a group in the table of contents.
fn contents(document: &Value, tag: &Value) -> String {
    let lines = operations(document, tag).map(|(method, path, operation)| {
        let id = escaped(text(&operation["operationId"]));
        format!("<li><a href=\"#{id}\"><b>{method}</b> {}</a></li>", escaped(path))
    });
    let lines: String = lines.collect();
    format!("<li>{}<ul>{lines}</ul></li>\n", escaped(text(&tag["name"])))
}

fn group(document: &Value, tag: &Value) -> String {
    let shown = operations(document, tag);
    let shown: String = shown.map(|(method, path, it)| operation(document, &method, path, it)).collect();
    let (name, description) = (escaped(text(&tag["name"])), escaped(text(&tag["description"])));
    format!("<section>\n<h2>{name}</h2>\n<p>{description}.</p>\n{shown}</section>\n")
}

/// Returns method, path and description of the operations of a group.
fn operations<'a>(document: &'a Value, tag: &'a Value) -> impl Iterator<Item = (String, &'a str, &'a Value)> {
    let paths = members(&document["paths"]);
    let all = paths.flat_map(|(path, item)| {
        members(item).map(move |(method, operation)| (method.to_uppercase(), path, operation))
    });
    all.filter(|(_, _, operation)| list(&operation["tags"]).contains(&tag["name"]))
}
