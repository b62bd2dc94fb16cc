//! The satellites' door on the wire: statuses, headers and bodies.
#![expect(clippy::expect_used, reason = "what a test needs and does not get fails it")]

mod hearers;
mod idempotency;
mod leniency;
mod limits;
mod reading;
mod refusals;
mod sending;

use axum::http::{Request, request};
use messenger_notifications::routes;
use messenger_runtime::testing::{SERVICE_TOKEN, TestResponse, Wire};
use messenger_testkit::{TestMessenger, messenger};
use serde_json::{Value, json};

/// The door, and what stands behind it.
fn test_app() -> (TestMessenger, Wire) {
    let messenger = messenger().build();
    let wire = Wire::new(routes(), messenger.memory.ports(&messenger.homeserver, &messenger.clock));
    (messenger, wire)
}

/// A notification with nothing but what is required, and these fields.
fn notification(fields: &Value) -> Value {
    let mut body =
        json!({ "source_app": "fertigungs-app", "event_type": "notification", "title": "Maschine gestoppt" });
    let fields = fields.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(fields);
    body
}

/// `POST /notifications/send` of a satellite; the body is to follow.
fn post(query: &str) -> request::Builder {
    Request::post(format!("/api/v1/notifications/send{query}"))
        .header("X-Service-Token", SERVICE_TOKEN)
        .header("Content-Type", "application/json")
}

/// `GET` as a satellite.
fn get(path: &str) -> request::Builder {
    Request::get(path).header("X-Service-Token", SERVICE_TOKEN)
}

async fn send(wire: &Wire, fields: &Value) -> TestResponse {
    wire.call(post(""), notification(fields).to_string()).await
}
