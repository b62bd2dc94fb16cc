//! HTTP clients of the service: satellites, users and browsers.

use std::{
    pin::Pin,
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use jsonwebtoken::{EncodingKey, Header, encode};
use messenger_runtime::testing::{Answered, Conformity};
use messenger_testkit::sse::{Reader, SseEvent};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header::HeaderMap};
use serde_json::{Value, json};

use crate::deployment;

/// The longest that an event may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// The path of event streams.
const STREAM: &str = "/api/v1/events/stream";
const HUB_SECRET_KEY: &str = "the Hub's secret key of the tests";
const SERVICE_TOKEN: &str = "the service token of the tests";
const SECRET_KEY: &str = "a secret key of the tests";

/// The description of the service: each answer must be as it says.
static CONFORMITY: LazyLock<Conformity> = LazyLock::new(|| {
    let document = include_str!("../../../docs/openapi.json");
    Conformity::new(serde_json::from_str(document).expect("a document"))
});

/// A client of the service, with or without credentials.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
}

/// A response of the service.
#[derive(Debug, Clone)]
pub struct TestResponse {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` if it is not JSON.
    pub body: Value,
}

/// A user of the Hub with a token.
#[derive(Debug, Clone)]
pub struct TestUser {
    client: Client,
    /// The `sub` of the token.
    pub id: String,
    /// The Hub token.
    pub token: String,
}

/// The chunks of a response body.
type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, reqwest::Error>> + Send>>;

/// An event stream, as a browser reads it.
pub struct EventStream {
    reader: Reader<Chunks>,
    last_id: String,
}

impl Client {
    /// Makes a client of the service at this address.
    pub fn new(url: &str) -> Self {
        let http = builder().timeout(Duration::from_mins(1)).build();
        Self { http: http.expect("an HTTP client"), url: url.to_owned() }
    }

    /// Returns host and port of the service.
    pub fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }

    /// Makes a request to a path.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends a notification as a satellite, with `?wait=10`.
    pub async fn notify(&self, body: &Value) -> TestResponse {
        self.notify_with(body, "?wait=10", None).await
    }

    /// Sends a notification with a query string and an idempotency key.
    pub async fn notify_with(&self, body: &Value, query: &str, key: Option<&str>) -> TestResponse {
        fetch(self.notification(body, query, key)).await
    }

    /// Sends a notification. Returns an error if the service ends before it responds.
    pub async fn try_notify(
        &self,
        body: &Value,
        query: &str,
        key: &str,
    ) -> Result<TestResponse, reqwest::Error> {
        try_fetch(self.notification(body, query, Some(key))).await
    }

    /// Sends a `GET` as a satellite.
    pub async fn get_as_satellite(&self, path: &str) -> TestResponse {
        fetch(self.request(Method::GET, path).header("X-Service-Token", service_token())).await
    }

    /// Sends a `GET` without credentials.
    pub async fn get(&self, path: &str) -> TestResponse {
        fetch(self.request(Method::GET, path)).await
    }

    /// Signs users of tenant 1 in and waits until they are provisioned.
    pub async fn provisioned_users<const N: usize>(&self, ids: [&str; N]) -> [TestUser; N] {
        let users = ids.map(|id| self.user(id));
        for user in &users {
            user.wait_until_provisioned().await;
        }
        users
    }

    /// Returns a user of tenant 1.
    pub fn user(&self, id: &str) -> TestUser {
        self.user_of_tenant(id, 1)
    }

    /// Returns a user of a tenant.
    pub fn user_of_tenant(&self, id: &str, tenant: i64) -> TestUser {
        self.user_with_role(id, "user", tenant)
    }

    /// Returns a user of a tenant with a role.
    pub fn user_with_role(&self, id: &str, role: &str, tenant: i64) -> TestUser {
        let claims = json!({
            "sub": id, "role": role, "tenant_id": tenant, "display_name": format!("Name von {id}"),
            "iss": "aesystek-hub", "exp": in_seconds(3600),
        });
        TestUser { client: self.clone(), id: id.to_owned(), token: token(&claims) }
    }

    /// Begins the request of a satellite that sends a notification.
    pub fn notification(&self, body: &Value, query: &str, key: Option<&str>) -> RequestBuilder {
        let request = self
            .request(Method::POST, &format!("/api/v1/notifications/send{query}"))
            .header("X-Service-Token", service_token())
            .json(body);
        match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        }
    }
}

impl TestUser {
    /// Sends a `GET` as this user.
    pub async fn get(&self, path: &str) -> TestResponse {
        fetch(self.client.request(Method::GET, path).bearer_auth(&self.token)).await
    }

    /// Sends a `POST` of JSON as this user.
    pub async fn post(&self, path: &str, body: &Value) -> TestResponse {
        fetch(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a `POST` of JSON as this user. Returns an error if the service cannot be reached.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<TestResponse, reqwest::Error> {
        try_fetch(self.request(Method::POST, path).json(body)).await
    }

    /// Makes a request as this user.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path).bearer_auth(&self.token)
    }

    /// Makes a request as this user with another HTTP client.
    pub(crate) fn request_with(&self, http: &reqwest::Client, method: Method, path: &str) -> RequestBuilder {
        http.request(method, format!("{}{path}", self.client.url)).bearer_auth(&self.token)
    }

    /// Returns the same user with another claim in the token.
    #[must_use]
    pub fn with_claim(&self, field: &str, value: &Value) -> Self {
        let mut claims = json!({
            "sub": self.id, "role": "user", "tenant_id": 1, "display_name": format!("Name von {}", self.id),
            "iss": "aesystek-hub", "exp": in_seconds(3600),
        });
        claims[field] = value.clone();
        Self { token: token(&claims), ..self.clone() }
    }

    /// Signs in, and waits until the user is a member of the general room.
    pub async fn wait_until_provisioned(&self) {
        self.stream(Some("0")).await.next_of("room_joined").await;
    }

    /// Opens an event stream, as `EventSource` does, and reads `connected`.
    pub async fn stream(&self, last_event_id: Option<&str>) -> EventStream {
        self.try_stream(last_event_id).await.expect("a stream")
    }

    /// Opens an event stream. Returns an error if the service cannot be reached or refuses.
    pub async fn try_stream(&self, last_event_id: Option<&str>) -> Result<EventStream, reqwest::Error> {
        // A stream may last longer than any request.
        let http = builder().build()?;
        let request = http.get(format!("{}{STREAM}", self.client.url)).query(&[("token", &self.token)]);
        let request = match last_event_id {
            Some(id) => request.header("Last-Event-ID", id),
            None => request,
        };
        let (asked, response) = send(request).await?;
        check(&asked, response.status(), response.headers(), None);
        let response = response.error_for_status()?;
        let reader = Reader::new(Box::pin(response.bytes_stream()) as Chunks);
        let mut stream = EventStream { reader, last_id: String::new() };
        assert_eq!(stream.next().await.kind(), "connected");
        Ok(stream)
    }
}

impl EventStream {
    /// Returns the next event that is no keepalive.
    pub async fn next(&mut self) -> SseEvent {
        let next = tokio::time::timeout(PATIENCE, self.reader.next_without_keepalives()).await;
        let event = next.expect("an event in time").expect("the stream goes on");
        check_event(&event);
        event.last_id.clone_into(&mut self.last_id);
        event
    }

    /// Returns the next event of a type and skips others.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await;
            if event.kind() == kind {
                return event.json();
            }
        }
    }

    /// Returns the next typing event and skips others.
    pub async fn next_typing(&mut self) -> SseEvent {
        loop {
            let event = self.next().await;
            if event.kind() == "typing" {
                return event;
            }
        }
    }

    /// Returns all events that arrive within this time.
    pub async fn within(&mut self, time: Duration) -> Vec<SseEvent> {
        let events = self.reader.within(time).await;
        events.iter().for_each(check_event);
        events
    }

    /// Returns the `Last-Event-ID` that a browser would send after the last event.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }
}

/// Returns a builder of HTTP clients that trust the certificate of the service.
pub fn builder() -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().no_proxy();
    match deployment::authority() {
        Some(authority) => builder.tls_certs_merge([authority]),
        None => builder,
    }
}

/// Returns the key with which the Hub of the tests signs tokens.
pub(crate) fn hub_secret_key() -> &'static str {
    deployment::secrets().map_or(HUB_SECRET_KEY, |secrets| &secrets.hub_secret_key)
}

/// Returns the key with which the service signs its own tokens.
pub fn secret_key() -> &'static str {
    deployment::secrets().map_or(SECRET_KEY, |secrets| &secrets.secret_key)
}

/// Returns the token of satellites.
pub fn service_token() -> &'static str {
    deployment::secrets().map_or(SERVICE_TOKEN, |secrets| &secrets.service_token)
}

/// Makes a Hub token with these claims.
pub fn token(claims: &Value) -> String {
    signed(claims, hub_secret_key())
}

/// Makes a token with these claims, signed with this key.
pub fn signed(claims: &Value, key: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(key.as_bytes())).expect("a token")
}

/// Returns a value for `exp`.
#[expect(clippy::disallowed_methods, reason = "tokens are checked against the real clock")]
pub fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
    now.cast_signed() + seconds
}

/// Sends a request and reads the response.
pub async fn fetch(request: RequestBuilder) -> TestResponse {
    try_fetch(request).await.expect("a response")
}

async fn try_fetch(request: RequestBuilder) -> Result<TestResponse, reqwest::Error> {
    let (asked, response) = send(request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await?;
    let body: Option<Value> = serde_json::from_slice(&bytes).ok();
    check(&asked, status, &headers, body.as_ref());
    Ok(TestResponse { status, headers, body: body.unwrap_or_default() })
}

/// Sends a request. Also returns its method and URL.
async fn send(request: RequestBuilder) -> Result<((Method, Url), Response), reqwest::Error> {
    let (http, request) = request.build_split();
    let request = request?;
    let asked = (request.method().clone(), request.url().clone());
    Ok((asked, http.execute(request).await?))
}

/// Panics if an answer is not described.
fn check((method, url): &(Method, Url), status: StatusCode, headers: &HeaderMap, body: Option<&Value>) {
    let answered = Answered { method, path: url.path(), status, headers, body };
    assert_eq!(CONFORMITY.check(&answered), Ok(()));
}

/// Panics if the data of an event is not described.
fn check_event(event: &SseEvent) {
    assert_eq!(CONFORMITY.check_event(STREAM, &event.json()), Ok(()));
}

/// Sends a request. Returns the status, and the code of a problem. The body of an event stream is not read.
pub async fn status_and_code(request: RequestBuilder) -> (u16, String) {
    let (asked, response) = send(request).await.expect("a response");
    let (status, headers) = (response.status(), response.headers().clone());
    let is_problem = status.is_client_error() || status.is_server_error();
    let body: Option<Value> = if is_problem { response.json().await.ok() } else { None };
    check(&asked, status, &headers, body.as_ref());
    let code = body.as_ref().and_then(|body| body["code"].as_str()).unwrap_or_default().to_owned();
    (status.as_u16(), code)
}

/// Sends a request and returns the response body as bytes.
pub async fn raw(request: RequestBuilder) -> impl Stream<Item = Result<Bytes, reqwest::Error>> + Unpin {
    let (asked, response) = send(request).await.expect("a response");
    check(&asked, response.status(), response.headers(), None);
    Box::pin(response.bytes_stream().into_stream())
}
