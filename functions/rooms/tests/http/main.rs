//! Rooms on the wire: answers and refusals.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

mod answers;
mod bodies;
mod limits;
mod muting;
mod refusals;
mod typing;

use std::time::Duration;

use axum::http::{Method, Request, request};
use messenger_core::{
    id::RoomId,
    room::{Profile, RoomKey, RoomKind},
};
use messenger_rooms::routes;
use messenger_runtime::testing::{EXPIRY, HUB_SECRET_KEY, TestResponse, Wire, bearer, signed};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::{Value, json};

/// The function on memory.
struct TestApp {
    messenger: TestMessenger,
    wire: Wire,
}

impl TestApp {
    /// Returns the function with these users of tenant 1, whose accounts are provisioned.
    async fn with(users: &[&str]) -> Self {
        let messenger = messenger().build();
        let wire = Wire::new(routes(), &messenger);
        let app = Self { messenger, wire };
        for user in users {
            assert_eq!(app.get(user, "/api/v1/rooms").await.status, 200);
        }
        app.messenger.work().await;
        app
    }

    async fn get(&self, user: &str, path: &str) -> TestResponse {
        self.wire.ask(by(user, Method::GET, path)).await
    }

    async fn post(&self, user: &str, path: &str, body: &Value) -> TestResponse {
        self.wire.call(by(user, Method::POST, path), body.to_string()).await
    }

    /// Creates a room. Returns its id.
    async fn made(&self, user: &str, name: &str, invited: &[&str]) -> String {
        let body = json!({ "name": name, "invite_users": invited });
        let answer = self.post(user, "/api/v1/rooms", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["matrix_room_id"].as_str().expect("an id").to_owned()
    }

    /// Registers an adopted room with this id and these members.
    async fn adopted(&self, id: &str, members: &[&str]) {
        let key = RoomKey { tenant: fixtures::TENANT, kind: RoomKind::Custom { id: id.to_owned() } };
        let members = members.iter().map(|member| fixtures::user(member)).collect();
        let profile = Profile { name: Some("Von anderswo".to_owned()), members, ..Profile::default() };
        self.messenger.ports.rooms.register(&key, &RoomId::new(id), &profile).await.expect("stored");
    }

    /// The room of machine 42, with one message in it.
    async fn machine(&self) -> String {
        let sent =
            self.messenger.send(fixtures::machine(42, "CNC-01 gestoppt"), Duration::from_secs(1)).await;
        sent.notification.room.expect("a room").to_string()
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

/// Returns an id as one segment of a path.
fn segment(id: &str) -> String {
    let bytes: Vec<_> = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

/// Returns the endpoints of one room.
fn acts(room: &str) -> [(Method, String); 6] {
    let path = |what: &str| format!("/api/v1/rooms/{}/{what}", segment(room));
    [
        (Method::POST, path("join")),
        (Method::POST, path("invite")),
        (Method::GET, path("members")),
        (Method::POST, path("leave")),
        (Method::POST, path("read")),
        (Method::POST, path("typing")),
    ]
}

/// Returns the fields that an answer names as wrong.
fn wrong(answer: &TestResponse) -> Vec<&str> {
    let errors = answer.body["errors"].as_array().expect("errors").iter();
    errors.map(|error| error["pointer"].as_str().expect("a pointer")).collect()
}
