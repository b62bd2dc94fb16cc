//! Notifications on the wire: statuses, headers and bodies.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

mod alarm_fields;
mod batch;
mod idempotency;
mod inbox;
mod limits;
mod logging;
mod reading;
mod recipients;
mod refusals;
mod sending;
mod tolerance;

use axum::http::{Request, request};
use messenger_notifications::routes;
use messenger_runtime::testing::{SERVICE_TOKEN, TestResponse, Wire};
use messenger_testkit::{TestMessenger, messenger};
use serde_json::{Value, json};

/// The function on memory.
fn test_app() -> (TestMessenger, Wire) {
    let messenger = messenger().build();
    let wire = Wire::new(routes(), &messenger);
    (messenger, wire)
}

/// Returns a notification with the required fields and these.
fn notification(fields: &Value) -> Value {
    let mut body =
        json!({ "source_app": "fertigungs-app", "event_type": "notification", "title": "Maschine gestoppt" });
    let fields = fields.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(fields);
    body
}

/// Returns `POST /notifications/send` of a satellite, without its body.
fn post(query: &str) -> request::Builder {
    Request::post(format!("/api/v1/notifications/send{query}"))
        .header("X-Service-Token", SERVICE_TOKEN)
        .header("Content-Type", "application/json")
}

/// Returns a `GET` of a satellite.
fn get(path: &str) -> request::Builder {
    Request::get(path).header("X-Service-Token", SERVICE_TOKEN)
}

async fn send(wire: &Wire, fields: &Value) -> TestResponse {
    wire.call(post(""), notification(fields).to_string()).await
}
