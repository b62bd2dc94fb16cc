//! The router: one address for all functions. It serves each group of endpoints in this process, or forwards
//! it to `UPSTREAM_<FUNCTION>=http://rooms:8000`: to all addresses of that name.

mod docs;
mod forwarding;
#[cfg(test)]
mod gateways;
mod shared_body;
mod upstream;

use std::{process::ExitCode, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    routing::any,
};
use messenger_runtime::{App, Routes, main_with, program};
use serde_json::Value;

use crate::upstream::Upstream;

/// The groups of endpoints, with their paths and their routes.
const GROUPS: [Group; 11] = [
    Group {
        name: "NOTIFICATIONS",
        paths: &["/api/v1/notifications"],
        routes: messenger_notifications::routes,
    },
    Group { name: "ALARMS", paths: &["/api/v1/alarms"], routes: messenger_alarms::routes },
    Group { name: "EVENTS", paths: &["/api/v1/events/stream", "/client"], routes: messenger_events::routes },
    Group { name: "POLL", paths: &["/api/v1/events/poll"], routes: messenger_poll::routes },
    Group { name: "MESSAGES", paths: &["/api/v1/messages"], routes: messenger_messages::routes },
    Group { name: "ROOMS", paths: &["/api/v1/rooms"], routes: messenger_rooms::routes },
    Group { name: "USERS", paths: &["/api/v1/users", "/auth"], routes: messenger_users::routes },
    Group { name: "ADMIN", paths: &["/api/v1/admin", "/api/v1/licenses"], routes: messenger_admin::routes },
    Group { name: "HEALTH", paths: &["/api/v1/health"], routes: messenger_health::routes },
    Group { name: "APPSERVICE", paths: &["/_matrix/app/v1"], routes: messenger_appservice::routes },
    Group { name: "WEB", paths: EVERY_OTHER, routes: messenger_web::routes },
];

/// The default of `UPSTREAM_TIMEOUT_SECONDS`: the longest silence of an upstream. The homeserver has 60
/// seconds to answer a function.
const PATIENCE: u64 = 90;

/// The paths of the group that has every path that no other has.
const EVERY_OTHER: &[&str] = &[];

struct Group {
    name: &'static str,
    paths: &'static [&'static str],
    routes: fn() -> Routes,
}

fn main() -> ExitCode {
    let program = program!().router().streaming().reading_copies(messenger_dynamo::copied_feed);
    let about = "prints the description of all functions: OpenAPI 3.1, in JSON";
    main_with(program.printing("openapi", about, document_text), routes)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the addresses of the functions are the router's own configuration"
)]
fn routes() -> Result<Router<App>, String> {
    let mut routes = own_routes();
    let patience = patience(std::env::var("UPSTREAM_TIMEOUT_SECONDS").ok().as_deref())?;
    for group in GROUPS {
        let variable = format!("UPSTREAM_{}", group.name);
        match std::env::var(&variable).ok().filter(|value| !value.trim().is_empty()) {
            None => routes = routes.merge((group.routes)()),
            Some(urls) => {
                let upstream =
                    Upstream::parse(&urls, patience).map_err(|problem| format!("{variable}: {problem}"))?;
                routes = routes.describe((group.routes)()).with(|router| forward(router, &group, &upstream));
            }
        }
    }
    Ok(routes.into_router())
}

/// Forwards the paths of a group.
fn forward(router: Router<App>, group: &Group, upstream: &Upstream) -> Router<App> {
    let upstream = upstream.clone();
    let handler = async move |State(app): State<App>, request: Request| upstream.forward(&app, request).await;
    if group.paths == EVERY_OTHER {
        return router.fallback(handler);
    }
    group.paths.iter().fold(router, |router, path| {
        let handler = any(handler.clone());
        router.route(path, handler.clone()).route(&format!("{path}/{{*rest}}"), handler)
    })
}

/// Returns the routes that the router serves itself.
fn own_routes() -> Routes {
    docs::routes(document)
}

/// Returns the description of all functions: OpenAPI 3.1.
fn document() -> Option<Value> {
    GROUPS.iter().fold(own_routes(), |routes, group| routes.merge((group.routes)())).document()
}

/// Returns the description of all functions as text.
fn document_text() -> String {
    document().map(|document| format!("{document:#}")).unwrap_or_default()
}

/// Parses `UPSTREAM_TIMEOUT_SECONDS`. Zero is no limit.
fn patience(variable: Option<&str>) -> Result<Duration, String> {
    const MOST: u64 = 86_400;
    let Some(text) = variable.map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(Duration::from_secs(PATIENCE));
    };
    let seconds = text.parse().ok().filter(|seconds| *seconds <= MOST);
    seconds.map(Duration::from_secs).ok_or_else(|| {
        format!("UPSTREAM_TIMEOUT_SECONDS is `{text}`, must be a whole number from 0 to {MOST}")
    })
}
