//! The first request to each function, which reaches the database.
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use messenger_rapi::{Function, Gateway, Invocation, Outcome, Request};
use serde_json::json;

use crate::token;

pub(super) const KEY_OF_HUB: &str = "bench-hub-secret";
pub(super) const TOKEN_OF_SERVICE: &str = "bench-service-token";
pub(super) const TOKEN_OF_HOMESERVER: &str = "bench-hs-token";

/// A request with the status of its answer.
pub(super) struct FirstRequest {
    invocation: Invocation,
    status: u16,
}

impl FirstRequest {
    /// Returns when the function has answered, or when the first piece of its stream has come.
    pub(super) async fn answered_by(self, function: &Function) -> Result<()> {
        let status = match function.invoke(self.invocation).await? {
            Outcome::Streamed(mut streamed) => {
                streamed.next().await?.context("the stream has no event")?;
                streamed.head.status
            }
            other => other.answer().await?.status,
        };
        ensure!(status == self.status, "{status} instead of {}", self.status);
        Ok(())
    }
}

/// Returns the first request to a function; `None` for the worker, which answers no requests.
pub(super) fn of(function: &str) -> Result<Option<FirstRequest>> {
    let path = match function {
        "admin" => "/api/v1/admin/stats",
        "alarms" => "/api/v1/alarms",
        "appservice" => "/_matrix/app/v1/transactions/1",
        "events" => "/api/v1/events/stream",
        "health" => "/api/v1/health",
        "messages" => "/api/v1/messages/history/!none:hub.local",
        "notifications" => "/api/v1/notifications/send?wait=0",
        "poll" => "/api/v1/events/poll",
        "rooms" => "/api/v1/rooms",
        "users" => "/api/v1/users?q=m",
        _ => return Ok(None),
    };
    let (request, status) = match function {
        "notifications" => {
            let body = json!({ "source_app": "bench", "event_type": "e", "title": "Start" });
            (Request::post(path, &body).header("X-Service-Token", TOKEN_OF_SERVICE), 201)
        }
        "appservice" => {
            let request = Request::new("PUT", path).header("Content-Type", "application/json");
            let request = request.body(json!({ "events": [] }).to_string());
            (request.header("Authorization", format!("Bearer {TOKEN_OF_HOMESERVER}")), 200)
        }
        "messages" => (of_user(path)?, 404),
        _ => (of_user(path)?, 200),
    };
    let invocation = Invocation::new(&request.event(&Gateway::FunctionUrl)).within(Duration::from_mins(1));
    Ok(Some(FirstRequest { invocation, status }))
}

fn of_user(path: &str) -> Result<Request> {
    let arguments = token::Arguments {
        sub: "bench".to_owned(),
        name: None,
        role: "admin".to_owned(),
        tenant: 1,
        hours: 1,
        key: KEY_OF_HUB.to_owned(),
    };
    let token = token::sign(&arguments)?;
    Ok(Request::get(path).header("Authorization", format!("Bearer {token}")))
}
