//! The service without a socket, for wire tests: requests go straight into the [`stack`], on the ports of the
//! test.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "tests end with a panic: this is for them only"
)]

mod conformity;
mod log;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    response::Response,
};
use http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE, request};
use jsonwebtoken::{EncodingKey, Header, encode};
use messenger_core::Ports;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::ServiceExt as _;

use crate::{
    App, Config, Routes,
    auth::{HUB_ISSUER, LOCAL_ISSUER, SESSION_AUDIENCE},
    serve::on_socket,
    stack,
};

pub use conformity::{Answered, Conformity};
pub use log::Log;

/// The default of `MESSENGER_SERVICE_TOKEN`.
pub const SERVICE_TOKEN: &str = "messenger-service-token-dev";
/// The default of `SECRET_KEY`.
pub const SECRET_KEY: &str = "messenger-dev-secret";
/// `HUB_SECRET_KEY` of tests.
pub const HUB_SECRET_KEY: &str = "the Hub's secret key of the tests";
/// The expiry of tokens of tests: 2100-01-01T00:00:00Z. Tokens are checked against the system's clock.
pub const EXPIRY: i64 = 4_102_444_800;
/// Time limit of an answer on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// Headers that every answer has; other tests check them.
const EVERYWHERE: [&str; 5] = [
    "access-control-allow-origin",
    "access-control-expose-headers",
    "content-length",
    "vary",
    "x-content-type-options",
];

/// Routes in their stack, called without a socket. Each answer must be described, if the routes are.
#[derive(Clone)]
pub struct Wire {
    service: Router,
    conformity: Option<Arc<Conformity>>,
}

/// An answer in the form that tests compare: the status, the headers that not every answer has, and the body.
#[derive(Debug, Clone, Serialize)]
pub struct TestResponse {
    /// The status.
    pub status: u16,
    headers: BTreeMap<String, String>,
    /// JSON, or text. A `request_id` that equals the header `X-Request-Id` is replaced by `[that of the
    /// header]`.
    pub body: Value,
    /// All headers.
    #[serde(skip)]
    pub all_headers: HeaderMap,
}

impl Wire {
    /// Composes the routes with the configuration of development.
    pub fn new(routes: impl Into<Routes>, ports: impl Into<Ports>) -> Self {
        Self::configured(routes, ports, &[])
    }

    /// Composes the routes with these variables of the environment.
    pub fn configured(
        routes: impl Into<Routes>,
        ports: impl Into<Ports>,
        variables: &[(&str, &str)],
    ) -> Self {
        Self::of(routes, &App::with(&ports.into(), config(variables)))
    }

    /// Composes the routes with an app, such as that of a program.
    pub fn of(routes: impl Into<Routes>, app: &App) -> Self {
        let routes = routes.into();
        let conformity = routes.document().map(Conformity::new).map(Arc::new);
        Self { service: stack(routes.into_router(), app), conformity }
    }

    /// Sends a request. Returns the response with its body unread, since the body of a stream does not end.
    pub async fn open(&self, request: request::Builder, body: impl Into<Body>) -> Response {
        let (asked, response) = self.send(request, body).await;
        self.check(&asked, response.status(), response.headers(), None);
        response
    }

    /// Sends a request and reads the answer.
    pub async fn call(&self, request: request::Builder, body: impl Into<Body>) -> TestResponse {
        let (asked, response) = self.send(request, body).await;
        let status = response.status();
        let answer = TestResponse::read(response).await;
        let body = Some(&answer.body).filter(|body| !body.is_string());
        self.check(&asked, status, &answer.all_headers, body);
        answer
    }

    /// Sends a request. Also returns its method and path.
    async fn send(&self, request: request::Builder, body: impl Into<Body>) -> ((Method, String), Response) {
        let request = request.body(body.into()).expect("a request");
        let asked = (request.method().clone(), request.uri().path().to_owned());
        let response = self.service.clone().oneshot(request).await;
        (asked, response.unwrap_or_else(|never| match never {}))
    }

    /// Panics if an answer is not described.
    fn check(
        &self,
        (method, path): &(Method, String),
        status: StatusCode,
        headers: &HeaderMap,
        body: Option<&Value>,
    ) {
        let Some(conformity) = &self.conformity else { return };
        if let Err(difference) = conformity.check(&Answered { method, path, status, headers, body }) {
            panic!("{difference}");
        }
    }

    /// Sends a request without a body and reads the answer.
    pub async fn ask(&self, request: request::Builder) -> TestResponse {
        self.call(request, Body::empty()).await
    }
}

impl TestResponse {
    async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the body can be read");
        let text = String::from_utf8(bytes.to_vec()).expect("the body is text");
        let kind = parts.headers.get(CONTENT_TYPE);
        // A response to `HEAD` has no body.
        let is_json = !text.is_empty() && kind.is_some_and(|kind| kind.as_bytes().ends_with(b"json"));
        let mut body =
            if is_json { serde_json::from_str(&text).expect("the body is JSON") } else { Value::from(text) };
        let id = parts.headers.get("x-request-id").and_then(|id| id.to_str().ok());
        if let Some(in_body) = body.get_mut("request_id").filter(|in_body| in_body.as_str() == id) {
            *in_body = json!("[that of the header]");
        }
        let shown = |name: &str, value: &http::HeaderValue| {
            let is_usual = name == "cache-control" && value == "no-store";
            name != "x-request-id" && !is_usual && !EVERYWHERE.contains(&name)
        };
        let headers = parts.headers.iter().filter(|(name, value)| shown(name.as_str(), value));
        let text = |value: &http::HeaderValue| value.to_str().expect("a header is text").to_owned();
        let headers = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        Self { status: parts.status.as_u16(), headers, body, all_headers: parts.headers }
    }
}

/// Serves routes on a socket of this machine, for tests of connections. Returns its address.
pub async fn listening(
    routes: Router<App>,
    ports: impl Into<Ports>,
    variables: &[(&str, &str)],
) -> SocketAddr {
    let app = App::with(&ports.into(), config(variables));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = stack(routes, &app);
    tokio::spawn(async move { on_socket(service, listener, &app).await });
    address
}

/// Connects and writes these bytes. Returns the connection.
pub async fn connected(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.expect("a connection");
    socket.write_all(bytes).await.expect("it takes the bytes");
    socket
}

/// Reads a connection until the other side closes it. Returns the text that was read.
pub async fn to_end(mut socket: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.expect("it is closed in time");
    // A reset after the last byte is an end, too.
    let _ = read;
    String::from_utf8(bytes).expect("it is text")
}

/// Writes bytes on a new connection and reads until it is closed.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    to_end(connected(address, bytes).await).await
}

/// Returns the configuration of development, changed by these variables.
pub fn config(variables: &[(&str, &str)]) -> Config {
    let changed =
        |name: &str| variables.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
    Config::read(|name| {
        let usual = match name {
            "DATABASE_URL" => Some("postgres://nobody@nowhere/nothing"),
            "HUB_SECRET_KEY" => Some(HUB_SECRET_KEY),
            "ENVIRONMENT" => Some("development"),
            _ => None,
        };
        changed(name).or(usual).map(str::to_owned)
    })
    .expect("the configuration is good")
}

/// Returns a token of the Hub for a user of tenant 1.
pub fn token(sub: &str) -> String {
    let claims = json!({
        "sub": sub, "role": "user", "tenant_id": 1, "display_name": format!("Name von {sub}"), "iss": HUB_ISSUER,
        "exp": EXPIRY,
    });
    signed(&claims, HUB_SECRET_KEY)
}

/// Returns the same token as the value of `Authorization`.
pub fn bearer(sub: &str) -> String {
    format!("Bearer {}", token(sub))
}

/// Returns the value of `Cookie` with the session cookie of a user of tenant 1.
pub fn session_cookie(sub: &str) -> String {
    let claims = json!({
        "sub": sub, "role": "user", "tenant_id": 1, "display_name": format!("Name von {sub}"), "iss": LOCAL_ISSUER,
        "aud": SESSION_AUDIENCE, "exp": EXPIRY,
    });
    format!("messenger_session={}", signed(&claims, SECRET_KEY))
}

/// Returns a token with these claims, signed with this key.
pub fn signed(claims: &Value, key: &str) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(key.as_bytes())).expect("a token")
}
