//! The head of a connection's first request. It is read before anything else is spent on the connection, and decides
//! by which way it is served.

use std::{io, time::Duration};

use axum::{body::Body, extract::Request};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use crate::problem;

/// The path of streams.
const STREAM: &str = "/api/v1/events/stream";
/// The paths that are answered whatever else is refused.
const PROBES: [&str; 2] = ["/livez", "/readyz"];
/// Most bytes of a head.
const HEAD_MAX: usize = 32 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// The time and the number of bytes for which the rest of a refused request is read, so that the client reads the
/// answer before the connection is reset.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES: usize = 64 << 10;
/// When it is worth trying again for a connection: nobody knows when one becomes free.
const PAUSE: Duration = Duration::from_secs(5);

/// The head of a request that came whole, and perhaps more behind it.
pub(crate) enum Head {
    /// `GET` of a stream. Such a request has no body.
    Stream(Request),
    /// `GET` of a health check.
    Probe(Request, Vec<u8>),
    /// Another request, as it came.
    Other(Vec<u8>),
}

/// Why a head is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The client is gone, or has said nothing.
    Silent,
    /// It is no HTTP.
    Malformed,
    /// It is larger than it may be.
    TooLarge,
    /// It did not come in time.
    TooLate,
    /// The address has too many connections.
    AddressLimit,
    /// The service has too many connections.
    Full,
}

/// Reads a head. `within` is the time for all of it.
pub(crate) async fn read(socket: &mut TcpStream, within: Duration) -> Result<Head, Refusal> {
    let (deadline, mut bytes, mut due) = (Instant::now() + within, Vec::with_capacity(1024), 0);
    loop {
        let before = bytes.len();
        match timeout_at(deadline, socket.read_buf(&mut bytes)).await {
            Ok(Ok(1..)) => {}
            Ok(_) => return Err(Refusal::Silent),
            Err(_) if bytes.is_empty() => return Err(Refusal::Silent),
            Err(_) => return Err(Refusal::TooLate),
        }
        // A head that comes byte by byte is parsed when it ends or has doubled, not for each of its bytes.
        if ends(&bytes, before) || bytes.len() >= due {
            match parse(&bytes)? {
                Some(Kind::Stream(request)) => return Ok(Head::Stream(request)),
                Some(Kind::Probe(request)) => return Ok(Head::Probe(request, bytes)),
                Some(Kind::Other) => return Ok(Head::Other(bytes)),
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

/// Whether the bytes from `before` on end a head: an empty line.
fn ends(bytes: &[u8], before: usize) -> bool {
    let new = bytes.get(before.saturating_sub(3)..).unwrap_or_default();
    new.windows(2).any(|two| two == b"\n\n") || new.windows(4).any(|four| four == b"\r\n\r\n")
}

/// Classifies a head. Returns `None` if it is not complete.
fn parse(head: &[u8]) -> Result<Option<Kind>, Refusal> {
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
    if path.starts_with(STREAM) {
        return Ok(Some(Kind::Stream(request(&parsed)?)));
    }
    let is_probe = PROBES.contains(&path.split('?').next().unwrap_or_default());
    Ok(Some(if is_probe { Kind::Probe(request(&parsed)?) } else { Kind::Other }))
}

/// A `GET` without a body.
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
