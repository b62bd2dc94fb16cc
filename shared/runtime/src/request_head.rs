//! The head of a connection's first request. It is read before anything else is spent on the connection, and
//! decides how the connection is served.

use std::{borrow::Cow, io, time::Duration};

use axum::{body::Body, extract::Request};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use crate::{base_path, problem};

/// The path of streams.
const STREAM: &str = "/api/v1/events/stream";
/// The paths of health checks and metrics, which are answered even if all other requests are refused.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];
/// Most bytes of a head.
const HEAD_MAX: usize = 32 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// The time and the number of bytes for which a refused request is read on, so that the client reads the
/// answer before the connection is reset.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 << 10;
/// `Retry-After` of a refused connection: it is not known when one becomes free.
const PAUSE: Duration = Duration::from_secs(5);

/// A complete head, perhaps with bytes after it.
pub(crate) enum RequestHead {
    /// `GET` of a stream. Such a request has no body.
    Stream(Request),
    /// `GET` of a health check.
    Probe(Request, Vec<u8>),
    /// The bytes of any other request.
    Other(Vec<u8>),
}

/// The reason for which a head is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The client is gone, or has sent nothing.
    Silent,
    /// The bytes are no HTTP.
    Malformed,
    /// The head is too large.
    TooLarge,
    /// The head was not complete in time.
    TooLate,
    /// The address has too many connections.
    AddressLimit,
    /// The service has too many connections.
    Full,
}

/// Reads a head. `within` is the time limit for all of it, `base` is `BASE_PATH`.
pub(crate) async fn read(
    socket: &mut TcpStream,
    within: Duration,
    base: &str,
) -> Result<RequestHead, Refusal> {
    let (deadline, mut bytes, mut due) = (Instant::now() + within, Vec::with_capacity(1024), 0);
    loop {
        let before = bytes.len();
        match timeout_at(deadline, socket.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return Err(Refusal::Silent),
            Err(_) if bytes.is_empty() => return Err(Refusal::Silent),
            Err(_) => return Err(Refusal::TooLate),
        }
        // A head that arrives byte by byte is parsed when it ends or has doubled, not for each of its bytes.
        if ends(&bytes, before) || bytes.len() >= due {
            match parse(&bytes, base)? {
                Some(Kind::Stream(request)) => return Ok(RequestHead::Stream(request)),
                Some(Kind::Probe(request)) => return Ok(RequestHead::Probe(request, bytes)),
                Some(Kind::Other) => return Ok(RequestHead::Other(bytes)),
                None => due = 2 * bytes.len(),
            }
        }
        if bytes.len() >= HEAD_MAX {
            return Err(Refusal::TooLarge);
        }
    }
}

/// Answers a request that is not served, and closes the connection.
pub(crate) async fn refuse(mut socket: TcpStream, refusal: Refusal) -> io::Result<()> {
    let Some(answer) = refusal.answer() else { return Ok(()) };
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await?;
    let (mut bytes, mut read) = ([0; 4096], 0);
    let listen = async {
        while let Ok(length @ 1..) = socket.read(&mut bytes).await {
            read += length;
            if read > LINGER_BYTES {
                break;
            }
        }
    };
    let _ = timeout(LINGER, listen).await;
    Ok(())
}

impl Refusal {
    fn answer(self) -> Option<String> {
        let (status, code, detail) = match self {
            Self::Silent => return None,
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "this is no request of HTTP/1.1 (RFC 9112): percent-encode the path and the query",
            ),
            Self::TooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head_too_large",
                "the request's head is too large: at most 32 KiB and 100 headers are accepted",
            ),
            Self::TooLate => (
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                "the request's head did not come in time: send it at once",
            ),
            Self::AddressLimit => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_connections",
                "too many connections are open from this address: close some, and use each for several requests",
            ),
            Self::Full => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_connections",
                "too many connections are open: try again later",
            ),
        };
        let later = matches!(self, Self::AddressLimit | Self::Full);
        Some(problem::raw(status, code, detail, later.then_some(PAUSE)))
    }
}

enum Kind {
    Stream(Request),
    Probe(Request),
    Other,
}

/// Returns whether the bytes from `before` on contain the empty line that ends a head.
fn ends(bytes: &[u8], before: usize) -> bool {
    let new = bytes.get(before.saturating_sub(3)..).unwrap_or_default();
    new.windows(2).any(|two| two == b"\n\n") || new.windows(4).any(|four| four == b"\r\n\r\n")
}

/// Classifies a head. Returns `None` if it is not complete.
fn parse(head: &[u8], base: &str) -> Result<Option<Kind>, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(head) {
        Ok(status) if status.is_partial() => return Ok(None),
        Ok(_) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::TooLarge),
        Err(_) => return Err(Refusal::Malformed),
    }
    let path = parsed.path.unwrap_or_default();
    if parsed.method != Some("GET") {
        return Ok(Some(Kind::Other));
    }
    let path = base_path::without(base, path).unwrap_or(Cow::Borrowed(path));
    if path.starts_with(STREAM) {
        return Ok(Some(Kind::Stream(request(&parsed)?)));
    }
    let is_probe = PROBES.contains(&path.split('?').next().unwrap_or_default());
    Ok(Some(if is_probe { Kind::Probe(request(&parsed)?) } else { Kind::Other }))
}

/// Returns the request of a parsed head: a `GET` without a body.
fn request(parsed: &httparse::Request<'_, '_>) -> Result<Request, Refusal> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    *request.version_mut() = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    *request.uri_mut() = parsed.path.unwrap_or("/").parse::<Uri>().map_err(|_| Refusal::Malformed)?;
    for one in &*parsed.headers {
        let name = HeaderName::from_bytes(one.name.as_bytes()).map_err(|_| Refusal::Malformed)?;
        let value = HeaderValue::from_bytes(one.value).map_err(|_| Refusal::Malformed)?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}
