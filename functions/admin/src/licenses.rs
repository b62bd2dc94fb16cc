//! `GET /api/v1/licenses/…`: the licences of deployed software of other projects.
//!
//! The lists are checked in. `cargo xtask licenses` writes those of the Rust crates and of the front end from
//! their lock files. That of the Python client stands beside its pins, and a test of the client compares it with
//! the installed packages. `infra/images/system-licenses.json` has the Debian packages of the base image,
//! `gcr.io/distroless/cc-debian12`: the packages that distroless' `static`, `base` and `cc` name for Debian 12,
//! with the versions of Debian 12 in November 2026 and the licences of their `debian/copyright`. A new base image
//! needs a new list.

use axum::http::header::CONTENT_TYPE;
use messenger_runtime::{
    ApiError, Routes,
    caller::Authenticated,
    openapi::{Caller, Operation, ResponseObject},
};
use schemars::JsonSchema;

const RUST: &str = include_str!("../licenses/rust.json");
const FRONTEND: &str = include_str!("../licenses/frontend.json");
const PYTHON: &str = include_str!("../../../shared/hub_messenger_client/licenses.json");
const SYSTEM: &str = include_str!("../../../infra/images/system-licenses.json");

/// A program or library of others, in the form of pip-licenses.
#[derive(JsonSchema)]
#[schemars(rename_all = "PascalCase")]
#[expect(dead_code, reason = "the type describes the JSON of the lists")]
struct Component {
    name: String,
    version: String,
    license: String,
    #[schemars(rename = "URL")]
    url: String,
}

/// Returns the routes of the lists.
pub(crate) fn routes() -> Routes {
    let lists = [
        ("/api/v1/licenses/rust", RUST, "listRustLicenses", "Lists the licences of the Rust crates"),
        ("/api/v1/licenses/frontend", FRONTEND, "listFrontendLicenses", "Lists those of the front end"),
        ("/api/v1/licenses/python", PYTHON, "listPythonLicenses", "Lists those of the Python client"),
        ("/api/v1/licenses/system", SYSTEM, "listSystemLicenses", "Lists those of the image's packages"),
    ];
    let routes = Routes::new("Licences", "The licences of the software of others that is deployed");
    lists.into_iter().fold(routes, |routes, (path, list, id, summary)| {
        let handler = move |_: Authenticated| async move {
            Ok::<_, ApiError>(([(CONTENT_TYPE, "application/json")], list))
        };
        let operation = Operation::get(path, handler, id, summary).caller(Caller::User);
        routes.declare(operation.answer(ResponseObject::json::<Vec<Component>>(200, "The list, by name.")))
    })
}
