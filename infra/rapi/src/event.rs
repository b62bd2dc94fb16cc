//! HTTP requests, and the events that gateways of AWS make of them.

mod http_api;
mod rest_api;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The address of the client (RFC 5737).
const CLIENT: &str = "192.0.2.7";
const USER_AGENT: &str = "messenger-rapi";
const ACCOUNT: &str = "123456789012";
const API: &str = "a1b2c3d4e5";
const REGION: &str = "eu-central-1";

/// A request as a client sends it.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    /// The path, percent-encoded as the client wrote it, without the stage or base path of the gateway.
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A caller of functions, with its address.
#[derive(Debug, Clone)]
pub enum Gateway {
    /// An HTTP API with payload format 2.0. It decodes the path.
    HttpApi(Address),
    /// A Function URL without authorization. It leaves the path as it is.
    FunctionUrl,
    /// A REST API with `*/*` as its binary media types. It leaves the path as it is.
    RestApi(Address),
}

/// The address of an API.
#[derive(Debug, Clone)]
pub struct Address {
    stage: String,
    /// The base path of a custom domain, without slashes; `None` for the address that AWS gives.
    mapping: Option<String>,
}

impl Request {
    /// Returns a request with `GET`. The path may have a query.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Returns a request with `POST` and a JSON body.
    pub fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path).header("Content-Type", "application/json").body(body.to_string())
    }

    /// Returns a request without body.
    pub fn new(method: &'static str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self { method, path: path.to_owned(), query: query.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Returns the event of this request.
    pub fn event(&self, gateway: &Gateway) -> Value {
        match gateway {
            Gateway::HttpApi(address) => http_api::event(self, Some(address)),
            Gateway::FunctionUrl => http_api::event(self, None),
            Gateway::RestApi(address) => rest_api::event(self, address),
        }
    }

    fn headers(&self, domain: &str) -> Vec<(String, String)> {
        let added = [
            ("Accept", "*/*"),
            ("Host", domain),
            ("User-Agent", USER_AGENT),
            ("X-Amzn-Trace-Id", "Root=1-67891233-abcdef012345678912345678"),
            ("X-Forwarded-For", CLIENT),
            ("X-Forwarded-Port", "443"),
            ("X-Forwarded-Proto", "https"),
        ];
        let added = added.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let length =
            (!self.body.is_empty()).then(|| ("Content-Length".to_owned(), self.body.len().to_string()));
        self.headers.iter().cloned().chain(added).chain(length).collect()
    }

    /// Returns the decoded parameters of the query in their order.
    fn parameters(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// Returns the cookies, each by itself.
    fn cookies(&self) -> Vec<String> {
        let cookies = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
        cookies.flat_map(|(_, value)| value.split("; ").map(str::to_owned)).collect()
    }

    fn encoded_body(&self) -> String {
        BASE64_STANDARD.encode(&self.body)
    }
}

impl Gateway {
    /// Returns an HTTP API with the stage `$default`.
    pub fn http_api() -> Self {
        Self::HttpApi(Address::stage("$default"))
    }

    /// Returns a Function URL.
    pub fn function_url() -> Self {
        Self::FunctionUrl
    }

    /// Returns a REST API with a stage, as each of them has one.
    pub fn rest_api(stage: &str) -> Self {
        Self::RestApi(Address::stage(stage))
    }
}

impl Address {
    /// Returns the address that AWS gives to a stage.
    pub fn stage(stage: &str) -> Self {
        Self { stage: stage.to_owned(), mapping: None }
    }

    /// Returns the address of a stage below a base path of a custom domain; an empty one for the domain
    /// itself.
    pub fn mapped(stage: &str, base_path: &str) -> Self {
        Self { stage: stage.to_owned(), mapping: Some(base_path.to_owned()) }
    }

    fn domain(&self) -> String {
        match self.mapping {
            Some(_) => "messenger.example.com".to_owned(),
            None => format!("{API}.execute-api.{REGION}.amazonaws.com"),
        }
    }

    /// Returns the path of the client's URL, which begins with the stage or with the base path.
    fn external(&self, path: &str) -> String {
        match &self.mapping {
            Some(mapping) if mapping.is_empty() => path.to_owned(),
            Some(mapping) => format!("/{mapping}{path}"),
            None if self.stage == "$default" => path.to_owned(),
            None => format!("/{}{path}", self.stage),
        }
    }
}

/// Returns a path as an HTTP API passes it on: decoded once, and cut at a question mark that appears then.
fn decoded(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    decoded.split('?').next().unwrap_or_default().to_owned()
}
