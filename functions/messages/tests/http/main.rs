//! Messages and files on the wire: answers and refusals.
#![expect(clippy::expect_used, reason = "a missing precondition fails the test")]

mod changes;
mod composing;
mod downloading;
mod limits;
mod logging;
mod reading;
mod searching;
mod sending;
mod uploading;

use axum::{
    body::to_bytes,
    http::{HeaderMap, Method, Request, request},
};
use messenger_core::id::{EventId, MatrixUserId, RoomId};
use messenger_messages::routes;
use messenger_runtime::testing::{EXPIRY, HUB_SECRET_KEY, TestResponse, Wire, bearer, signed};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::{Value, json};

const SEND: &str = "/api/v1/messages/send";
const UPLOAD: &str = "/api/v1/messages/upload";
/// The boundary between the parts of a form.
const BOUNDARY: &str = "----schnitt";

/// The function on memory, with anna and bert of tenant 1, and the general room with both in it.
struct TestApp {
    messenger: TestMessenger,
    wire: Wire,
    room: RoomId,
}

impl TestApp {
    async fn new() -> Self {
        Self::configured(&[]).await
    }

    async fn configured(variables: &[(&str, &str)]) -> Self {
        let messenger = messenger().build();
        let wire = Wire::configured(routes(), &messenger, variables);
        // The first request of each user signs them in.
        for user in ["anna", "bert"] {
            let answer = wire.ask(by(user, Method::GET, "/api/v1/messages/history/!nowhere")).await;
            assert_eq!(answer.status, 404);
        }
        messenger.work().await;
        let room = messenger
            .ports
            .memberships
            .of(fixtures::TENANT, &fixtures::user("anna"))
            .await
            .expect("rooms")
            .remove(0);
        Self { messenger, wire, room }
    }

    async fn get(&self, user: &str, path: &str) -> TestResponse {
        self.wire.ask(by(user, Method::GET, path)).await
    }

    /// `POST /messages/send` with these fields beside the room and a body.
    async fn send(&self, user: &str, fields: &Value) -> TestResponse {
        let mut body = json!({ "room_id": self.room, "body": "Hallo Welt!" });
        let fields = fields.as_object().expect("an object").clone();
        body.as_object_mut().expect("an object").extend(fields);
        self.wire.call(by(user, Method::POST, SEND), body.to_string()).await
    }

    async fn history(&self, user: &str, query: &str) -> TestResponse {
        self.get(user, &format!("/api/v1/messages/history/{}{query}", self.room)).await
    }

    /// Uploads a form of anna.
    async fn upload(&self, parts: &[Part<'_>]) -> TestResponse {
        self.wire.call(form_of("anna", UPLOAD), form(parts)).await
    }

    /// Downloads a file. Returns status, headers and bytes.
    async fn file(&self, url: &str, range: Option<&str>) -> (u16, HeaderMap, Vec<u8>) {
        let request = by("anna", Method::GET, url);
        let request = if let Some(range) = range { request.header("Range", range) } else { request };
        let (parts, body) = self.wire.open(request, "").await.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the body can be read");
        (parts.status.as_u16(), parts.headers, bytes.to_vec())
    }

    /// Puts an event of bert into the room, as of another Matrix client.
    async fn happens(&self, kind: &str, content: Value) -> EventId {
        self.happens_by("bert", kind, content).await
    }

    /// Puts an event of a user into the room, as of another Matrix client.
    async fn happens_by(&self, user: &str, kind: &str, content: Value) -> EventId {
        let sender = MatrixUserId::new(format!("@{user}:hub.local"));
        let event = self.messenger.homeserver.send_event(&self.room, &sender, kind, content);
        self.messenger
            .ingest()
            .receive(vec![self.messenger.homeserver.room_event(&self.room, &event)])
            .await
            .expect("received");
        event
    }
}

/// A part of a form: the parameters of its `Content-Disposition`, and its content.
type Part<'a> = (&'a str, &'a [u8]);

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (disposition, bytes) in parts {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn form_of(user: &str, path: &str) -> request::Builder {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    Request::post(path).header("Authorization", bearer(user)).header("Content-Type", kind)
}

/// Returns a request of a user of tenant 1, with JSON.
fn by(user: &str, method: Method, path: &str) -> request::Builder {
    let request = Request::builder().method(method).uri(path);
    request.header("Authorization", bearer(user)).header("Content-Type", "application/json")
}

/// Returns a token of a user with another role or tenant.
fn token_of(user: &str, role: &str, tenant: i64) -> String {
    let claims =
        json!({ "sub": user, "role": role, "tenant_id": tenant, "iss": "aesystek-hub", "exp": EXPIRY });
    signed(&claims, HUB_SECRET_KEY)
}

/// Returns an id as one segment of a path.
fn segment(id: &str) -> String {
    let bytes: Vec<_> = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

/// Returns the fields that an answer names as wrong.
fn wrong(answer: &TestResponse) -> Vec<&str> {
    let errors = answer.body["errors"].as_array().expect("errors").iter();
    errors.map(|error| error["pointer"].as_str().expect("a pointer")).collect()
}
