//! The outcomes of invocations, as a function posts them to the Runtime API.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The bytes between the prelude of a streamed response and its body.
const DELIMITER: [u8; 8] = [0; 8];
/// The trailer that reports an error in the middle of a stream.
const ERROR_TRAILER: &str = "lambda-runtime-function-error-type";

/// The outcome of one invocation.
#[derive(Debug)]
pub enum Outcome {
    /// A response in one piece.
    Whole(Bytes),
    /// A streamed response, whose head is complete.
    Streamed(Streamed),
    /// An error of the runtime or of the handler.
    Failed(Failure),
}

/// An error that a function reported.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The type of the error in the header; empty if it has none.
    pub kind: String,
    /// The JSON of the error: `errorMessage`, `errorType`.
    pub body: Value,
}

/// A response to an HTTP event.
#[derive(Debug)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The headers, with names in lower case; of several values, each one.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The values of `Set-Cookie`.
    pub cookies: Vec<String>,
    /// The decoded body; empty for the head of a stream.
    pub body: Vec<u8>,
}

/// A streamed response. Dropping it does not end the invocation: Lambda runs on when its client is gone.
#[derive(Debug)]
pub struct Streamed {
    /// The status, headers and cookies.
    pub head: HttpResponse,
    pieces: UnboundedReceiver<Result<Bytes, String>>,
}

/// The JSON of an HTTP response, whole or as a prelude.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Integration {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    multi_value_headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Outcome {
    /// Returns the whole response to an HTTP event; collects a stream until its end.
    ///
    /// # Errors
    /// Returns an error if the function reported one, or if the stream was cut.
    pub async fn answer(self) -> Result<HttpResponse> {
        match self {
            Self::Whole(json) => HttpResponse::read(&json),
            Self::Failed(failure) => bail!("the function failed: {} {}", failure.kind, failure.body),
            Self::Streamed(mut streamed) => {
                let mut body = Vec::new();
                while let Some(piece) = streamed.next().await? {
                    body.extend_from_slice(&piece);
                }
                Ok(HttpResponse { body, ..streamed.head })
            }
        }
    }

    /// Returns the stream.
    ///
    /// # Errors
    /// Returns an error if the outcome is none.
    pub fn stream(self) -> Result<Streamed> {
        match self {
            Self::Streamed(streamed) => Ok(streamed),
            other => bail!("the response is not streamed: {other:?}"),
        }
    }

    /// Returns the error that the function reported.
    ///
    /// # Errors
    /// Returns an error if it reported none.
    pub fn failure(self) -> Result<Failure> {
        match self {
            Self::Failed(failure) => Ok(failure),
            other => bail!("the function reported no error: {other:?}"),
        }
    }
}

impl HttpResponse {
    fn read(json: &[u8]) -> Result<Self> {
        let read: Integration = serde_json::from_slice(json)
            .with_context(|| format!("no HTTP response: {}", String::from_utf8_lossy(json)))?;
        let body = read.body.unwrap_or_default();
        let body = if read.is_base64_encoded {
            BASE64_STANDARD.decode(body).context("a body that is not base64")?
        } else {
            body.into_bytes()
        };
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, values) in read.multi_value_headers {
            headers.entry(name.to_ascii_lowercase()).or_default().extend(values);
        }
        for (name, value) in read.headers {
            let values = headers.entry(name.to_ascii_lowercase()).or_default();
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let cookies = headers.remove("set-cookie").unwrap_or_default();
        let cookies = if read.cookies.is_empty() { cookies } else { read.cookies };
        Ok(Self { status: read.status_code, headers, cookies, body })
    }

    /// Returns the first value of a header, whose name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|values| values.first()).map(String::as_str)
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    ///
    /// # Errors
    /// Returns an error that shows the body if it is no JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("no JSON: {}", self.text()))
    }
}

impl Streamed {
    /// Waits for the next piece. Returns `None` at the end of the stream.
    ///
    /// # Errors
    /// Returns an error if the stream was cut, or reports an error in its trailers.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.pieces.recv().await.transpose().map_err(anyhow::Error::msg)
    }
}

/// The end of a streamed response that is still to be read.
pub(crate) struct Remainder {
    body: Body,
    first: Bytes,
    pieces: UnboundedSender<Result<Bytes, String>>,
}

impl Remainder {
    /// Reads until the body ends or is cut, whether somebody receives the pieces or not.
    pub(crate) async fn read(mut self) {
        if !self.first.is_empty() {
            let _ = self.pieces.send(Ok(self.first));
        }
        while let Some(frame) = self.body.frame().await {
            let piece = match frame.map(data_or_trailers) {
                Ok(Ok(data)) => Ok(data),
                Ok(Err(trailers)) => match error_of(&trailers) {
                    None => continue,
                    Some(error) => Err(error),
                },
                Err(error) => Err(format!("the stream was cut: {error}")),
            };
            let _ = self.pieces.send(piece);
        }
    }
}

/// Returns the data of a frame, else its trailers.
fn data_or_trailers(frame: Frame<Bytes>) -> Result<Bytes, HeaderMap> {
    frame.into_data().map_err(|frame| frame.into_trailers().unwrap_or_default())
}

fn error_of(trailers: &HeaderMap<HeaderValue>) -> Option<String> {
    let kind = trailers.get(ERROR_TRAILER)?;
    Some(format!("the stream reports an error: {}", String::from_utf8_lossy(kind.as_bytes())))
}

/// Reads the prelude of a streamed response: JSON, then eight NUL bytes.
pub(crate) async fn begin(mut body: Body) -> Result<(Streamed, Remainder)> {
    let mut read = BytesMut::new();
    let at = loop {
        if let Some(at) = read.windows(DELIMITER.len()).position(|bytes| bytes == DELIMITER) {
            break at;
        }
        let frame = body.frame().await.context("the stream ended inside its prelude")?;
        if let Ok(data) = frame.context("the stream was cut inside its prelude")?.into_data() {
            read.extend_from_slice(&data);
        }
    };
    let prelude = read.split_to(at);
    let first = read.split_off(DELIMITER.len()).freeze();
    let head = HttpResponse::read(&prelude)?;
    let (sender, pieces) = unbounded_channel();
    Ok((Streamed { head, pieces }, Remainder { body, first, pieces: sender }))
}
