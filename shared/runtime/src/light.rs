//! Streams without the cost of an HTTP connection.
//!
//! A stream is one request and one answer that lasts for hours. An HTTP connection keeps two buffers of 8 KiB each for
//! what may come next; nothing comes next. So a connection that begins with the request for a stream is answered here:
//! the same routes answer it, and then there is only a socket and what is written to it. All other connections (and a
//! stream that comes second on a connection, as from a proxy) are served by hyper.

use std::{io, time::Duration};

use axum::{Router, body::Body, extract::Request};
use bytes::Bytes;
use http::{Response, header};
use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tower::ServiceExt as _;

/// How long a reader may take nothing before it is given up. Its mailbox is cut off long before if events come.
const WRITE_WAIT: Duration = Duration::from_mins(1);

/// Answers the one request of a connection, however long that takes.
pub(crate) async fn answer(mut socket: TcpStream, request: Request, routes: Router) -> io::Result<()> {
    // What is needed until the answer begins is given back before it lasts.
    let opening = Box::pin(open(&mut socket, request, routes)).await?;
    match opening {
        Some(body) => pass_on(socket, body).await,
        None => socket.shutdown().await,
    }
}

/// Writes the answer's head. Returns the body if it is a stream; else it is written, too.
async fn open(socket: &mut TcpStream, request: Request, routes: Router) -> io::Result<Option<Body>> {
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
