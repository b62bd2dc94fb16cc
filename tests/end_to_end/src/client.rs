//! Satellites, people and browsers, as the service meets them: over HTTP.

use std::{
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use jsonwebtoken::{EncodingKey, Header, encode};
use messenger_testkit::sse::{Reader, SseEvent};
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::stack::{HUB_SECRET_KEY, SERVICE_TOKEN};

/// How long an event may take on a busy machine before a test gives up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A client of the service, with or without credentials.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
}

/// What the service answered.
#[derive(Debug, Clone)]
pub struct TestResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` if it is no JSON.
    pub body: Value,
}

/// A user of the Hub.
#[derive(Debug, Clone)]
pub struct TestUser {
    client: Client,
    /// `sub`.
    pub id: String,
    /// Their Hub token.
    pub token: String,
}

/// The bytes of an answer, as they come.
type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, reqwest::Error>> + Send>>;

/// A stream of events, as a browser reads it.
pub struct EventStream {
    reader: Reader<Pieces>,
    last_id: String,
}

impl Client {
    /// A client of a service at this address.
    pub fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build();
        Self { http: http.expect("an HTTP client"), url: url.to_owned() }
    }

    /// Host and port of the service.
    pub fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// A request to a path.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends a notification as a satellite, with `?wait=10`.
    pub async fn notify(&self, body: &Value) -> TestResponse {
        self.notify_with(body, "?wait=10", None).await
    }

    /// Sends a notification with a query and an idempotency key.
    pub async fn notify_with(&self, body: &Value, query: &str, key: Option<&str>) -> TestResponse {
        answer(self.notification(body, query, key)).await
    }

    /// The same, where the service may die before it answers.
    pub async fn try_notify(
        &self,
        body: &Value,
        query: &str,
        key: &str,
    ) -> Result<TestResponse, reqwest::Error> {
        try_answer(self.notification(body, query, Some(key))).await
    }

    /// `GET` as a satellite.
    pub async fn ask(&self, path: &str) -> TestResponse {
        answer(self.request(Method::GET, path).header("X-Service-Token", SERVICE_TOKEN)).await
    }

    /// `GET` as nobody.
    pub async fn get(&self, path: &str) -> TestResponse {
        answer(self.request(Method::GET, path)).await
    }

    /// A user of tenant 1.
    pub fn person(&self, id: &str) -> TestUser {
        self.person_of(id, 1)
    }

    /// A user of a tenant.
    pub fn person_of(&self, id: &str, tenant: i64) -> TestUser {
        self.person_with(id, "user", tenant)
    }

    /// A user of a tenant with a role.
    pub fn person_with(&self, id: &str, role: &str, tenant: i64) -> TestUser {
        let claims = json!({
            "sub": id, "role": role, "tenant_id": tenant, "display_name": format!("Name von {id}"),
            "iss": "aesystek-hub", "exp": in_seconds(3600),
        });
        TestUser { client: self.clone(), id: id.to_owned(), token: token(&claims) }
    }

    fn notification(&self, body: &Value, query: &str, key: Option<&str>) -> RequestBuilder {
        let request = self
            .request(Method::POST, &format!("/api/v1/notifications/send{query}"))
            .header("X-Service-Token", SERVICE_TOKEN)
            .json(body);
        match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        }
    }
}

impl TestUser {
    /// `GET` as this user.
    pub async fn get(&self, path: &str) -> TestResponse {
        answer(self.client.request(Method::GET, path).bearer_auth(&self.token)).await
    }

    /// `POST` of JSON as this user.
    pub async fn post(&self, path: &str, body: &Value) -> TestResponse {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// The same, where the service may be away.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<TestResponse, reqwest::Error> {
        try_answer(self.request(Method::POST, path).json(body)).await
    }

    /// A request as this user.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path).bearer_auth(&self.token)
    }

    /// The same by another HTTP client.
    pub(crate) fn anew(&self, http: &reqwest::Client, method: Method, path: &str) -> RequestBuilder {
        http.request(method, format!("{}{path}", self.client.url)).bearer_auth(&self.token)
    }

    /// The same user with other claims in their token.
    #[must_use]
    pub fn claiming(&self, field: &str, value: &Value) -> Self {
        let mut claims = json!({
            "sub": self.id, "role": "user", "tenant_id": 1, "display_name": format!("Name von {}", self.id),
            "iss": "aesystek-hub", "exp": in_seconds(3600),
        });
        claims[field] = value.clone();
        Self { token: token(&claims), ..self.clone() }
    }

    /// Signs in, and waits until the Matrix account and the general room are ready.
    pub async fn wait_until_provisioned(&self) {
        self.stream(Some("0")).await.next_of("room_joined").await;
    }

    /// Opens a stream, as an `EventSource` does, and reads `connected`.
    pub async fn stream(&self, last_event_id: Option<&str>) -> EventStream {
        self.try_stream(last_event_id).await.expect("a stream")
    }

    /// The same, where the service may be away.
    pub async fn try_stream(&self, last_event_id: Option<&str>) -> Result<EventStream, reqwest::Error> {
        // A stream may last longer than any request.
        let http = reqwest::Client::builder().no_proxy().build()?;
        let request =
            http.get(format!("{}/api/v1/events/stream", self.client.url)).query(&[("token", &self.token)]);
        let request = match last_event_id {
            Some(id) => request.header("Last-Event-ID", id),
            None => request,
        };
        let response = request.send().await?.error_for_status()?;
        let reader = Reader::new(Box::pin(response.bytes_stream()) as Pieces);
        let mut stream = EventStream { reader, last_id: String::new() };
        assert_eq!(stream.next().await.kind(), "connected");
        Ok(stream)
    }
}

impl EventStream {
    /// The next event that is no keepalive.
    pub async fn next(&mut self) -> SseEvent {
        let next = tokio::time::timeout(PATIENCE, self.reader.next_without_keepalives()).await;
        let event = next.expect("an event in time").expect("the stream goes on");
        event.last_id.clone_into(&mut self.last_id);
        event
    }

    /// The next event of a type; others are passed over.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await;
            if event.kind() == kind {
                return event.json();
            }
        }
    }

    /// The next event that tells who types, as it came; others are passed over.
    pub async fn next_typing(&mut self) -> SseEvent {
        loop {
            let event = self.next().await;
            if event.kind() == "typing" {
                return event;
            }
        }
    }

    /// Everything that comes within a time.
    pub async fn within(&mut self, time: Duration) -> Vec<SseEvent> {
        self.reader.within(time).await
    }

    /// What a browser that was told so far would send as `Last-Event-ID`.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }
}

/// A Hub token with these claims.
pub fn token(claims: &Value) -> String {
    signed(claims, HUB_SECRET_KEY)
}

/// A token with these claims and this key.
pub fn signed(claims: &Value, key: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(key.as_bytes())).expect("a token")
}

/// A moment for `exp`.
#[expect(clippy::disallowed_methods, reason = "tokens are checked against the clock on the wall")]
pub fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    now.cast_signed() + seconds
}

/// Sends a request and reads the answer.
pub async fn answer(request: RequestBuilder) -> TestResponse {
    try_answer(request).await.expect("an answer")
}

async fn try_answer(request: RequestBuilder) -> Result<TestResponse, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await?;
    Ok(TestResponse { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() })
}

/// The stream as bytes, for tests of the bytes themselves.
pub async fn raw(request: RequestBuilder) -> impl Stream<Item = Result<Bytes, reqwest::Error>> + Unpin {
    let response = request.send().await.expect("an answer");
    Box::pin(response.bytes_stream().into_stream())
}
