//! Alarms on the wire: a whole life, lists, journals and refusals.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

mod acts;
mod life;
mod lists;
mod refusals;

use axum::http::{Method, Request, request};
use messenger_alarms::routes;
use messenger_core::id::TenantId;
use messenger_runtime::testing::{EXPIRY, HUB_SECRET_KEY, SERVICE_TOKEN, TestResponse, Wire, bearer, signed};
use messenger_testkit::{TestMessenger, messenger};
use serde_json::{Value, json};

/// The functions of alarms and notifications on memory.
struct TestApp {
    messenger: TestMessenger,
    wire: Wire,
}

impl TestApp {
    /// Returns the functions with these users of tenant 1, whose accounts are provisioned.
    async fn with(users: &[&str]) -> Self {
        let messenger = messenger().build();
        let wire = Wire::new(routes().merge(messenger_notifications::routes()), &messenger);
        for user in users {
            messenger.caller(user, TenantId(1)).await;
        }
        messenger.work().await;
        Self { messenger, wire }
    }

    async fn get(&self, user: &str, path: &str) -> TestResponse {
        self.wire.ask(by(user, Method::GET, path)).await
    }

    async fn post(&self, user: &str, path: &str, body: &Value) -> TestResponse {
        self.wire.call(by(user, Method::POST, path), body.to_string()).await
    }

    /// Sends a notification about the alarm `press-7` with these fields, without waiting for its delivery.
    async fn report(&self, fields: Value) -> TestResponse {
        let mut body = json!({
            "source_app": "fertigungs-app", "event_type": "alarm", "title": "Öldruck", "dedup_key": "press-7",
        });
        let Value::Object(fields) = fields else { return self.send(&body).await };
        body.as_object_mut().expect("an object").extend(fields);
        self.send(&body).await
    }

    async fn send(&self, body: &Value) -> TestResponse {
        let request = Request::post("/api/v1/notifications/send?wait=0")
            .header("X-Service-Token", SERVICE_TOKEN)
            .header("Content-Type", "application/json");
        let answer = self.wire.call(request, body.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer
    }

    /// Returns the live events of a type, in their order.
    fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.messenger.memory.events().into_iter();
        let events = events.map(|event| serde_json::from_str::<Value>(&event.json()).expect("JSON"));
        events.filter(|event| event["type"] == kind).collect()
    }
}

/// Returns a request of a user of tenant 1, with JSON.
fn by(user: &str, method: Method, path: &str) -> request::Builder {
    let request = Request::builder().method(method).uri(path);
    request.header("Authorization", bearer(user)).header("Content-Type", "application/json")
}

/// Returns a request of a user with another role or tenant.
fn as_one(user: &str, role: &str, tenant: i64, method: Method, path: &str) -> request::Builder {
    let claims = json!({
        "sub": user, "role": role, "tenant_id": tenant, "iss": "aesystek-hub", "exp": EXPIRY,
        "display_name": format!("Name von {user}"),
    });
    let token = format!("Bearer {}", signed(&claims, HUB_SECRET_KEY));
    Request::builder().method(method).uri(path).header("Authorization", token)
}
