//! Streams without the cost of an HTTP connection.
//!
//! A stream is one request and one answer that lasts for hours. An HTTP connection keeps two buffers of 8 KiB each for
//! what may come next; nothing comes next. So a connection that begins with the request for a stream is answered here:
//! the same routes answer it, and then there is only a socket and what is written to it. All other connections (and a
//! stream that comes second on a connection, as from a proxy) are served by hyper.

use std::{io, time::Duration};

use axum::{Router, body::Body, extract::Request};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Response, Uri, header};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tower::ServiceExt as _;

/// How a request for a stream begins.
const STREAM: &[u8] = b"GET /api/v1/events/stream";
/// Most bytes of a request's head.
const HEAD_MAX: usize = 32 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 100;
/// How long a reader may take nothing before it is given up. Its mailbox is cut off long before if events come.
const WRITE_WAIT: Duration = Duration::from_mins(1);

/// Whether the connection begins with the request for a stream. Takes nothing from it.
pub(crate) async fn is_stream(socket: &TcpStream) -> io::Result<bool> {
    let mut begin = [0; STREAM.len()];
    loop {
        let length = socket.peek(&mut begin).await?;
        let read = begin.get(..length).unwrap_or_default();
        if length == 0 || !STREAM.starts_with(read) {
            return Ok(false);
        }
        if length == STREAM.len() {
            return Ok(true);
        }
        // The rest of the line is on its way: peeking does not wait for more than there is.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Answers the one request of a connection, however long that takes. `head_wait` is for the request's head.
pub(crate) async fn answer(mut socket: TcpStream, routes: Router, head_wait: Duration) -> io::Result<()> {
    // What is needed until the answer begins is given back before it lasts.
    let opening = Box::pin(open(&mut socket, routes, head_wait)).await?;
    match opening {
        Some(body) => pass_on(socket, body).await,
        None => socket.shutdown().await,
    }
}

/// Reads the request and writes the answer's head. Returns the body if it is a stream; else it is written, too.
async fn open(socket: &mut TcpStream, routes: Router, head_wait: Duration) -> io::Result<Option<Body>> {
    let request = timeout(head_wait, read_head(socket)).await??;
    let response = routes.oneshot(request).await.unwrap_or_else(|never| match never {});
    let is_stream =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
    let (parts, body) = response.into_parts();
    let mut head = head(&Response::from_parts(parts, ()));
    if is_stream {
        head.extend_from_slice(b"\r\n");
        socket.write_all(&head).await?;
        return Ok(Some(body));
    }
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    head.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    head.extend_from_slice(&body);
    socket.write_all(&head).await?;
    Ok(None)
}

async fn read_head(socket: &mut TcpStream) -> io::Result<Request> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if let Some(request) = parse(&head)? {
            return Ok(request);
        }
        if head.len() > HEAD_MAX {
            return Err(io::Error::other("the request's head is too large"));
        }
        if socket.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The request, once its head is complete. A `GET` has no body.
fn parse(head: &[u8]) -> io::Result<Option<Request>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    if parsed.parse(head).map_err(io::Error::other)?.is_partial() {
        return Ok(None);
    }
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = parsed.path.unwrap_or("/").parse::<Uri>().map_err(io::Error::other)?;
    for one in parsed.headers {
        let name = HeaderName::from_bytes(one.name.as_bytes()).map_err(io::Error::other)?;
        request.headers_mut().append(name, HeaderValue::from_bytes(one.value).map_err(io::Error::other)?);
    }
    Ok(Some(request))
}

/// Status line and headers. The body ends with the connection (RFC 9112, section 6.3), so shared bytes go out as they
/// are.
fn head(response: &Response<()>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        if *name == header::CONNECTION || *name == header::CONTENT_LENGTH {
            continue;
        }
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head
}

/// Writes what comes until it ends or the reader is gone.
async fn pass_on(mut socket: TcpStream, mut body: Body) -> io::Result<()> {
    let mut nothing = [0; 64];
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            read = socket.read(&mut nothing) => match read? {
                0 => return Ok(()),
                // A client has nothing to say here.
                _ => continue,
            },
        };
        match frame {
            Some(Ok(frame)) => write(&mut socket, frame.into_data().unwrap_or_default()).await?,
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return socket.shutdown().await,
        }
    }
}

/// Writes at once what the socket takes; a timer is needed only for a reader who lags.
async fn write(socket: &mut TcpStream, bytes: Bytes) -> io::Result<()> {
    let written = match socket.try_write(&bytes) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    match bytes.get(written..) {
        None | Some([]) => Ok(()),
        Some(rest) => Box::pin(timeout(WRITE_WAIT, socket.write_all(rest))).await?,
    }
}
