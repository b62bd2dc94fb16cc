//! Event streams on a bare socket, without the memory of an HTTP connection.
//!
//! A stream is one request and one response that lasts for hours. An HTTP connection of hyper keeps two
//! buffers of 8 KiB for the next request, which never comes. So a connection whose first request is for a
//! stream is answered here: by the same routes, but the response is written to the socket directly. Hyper
//! serves all other connections, and a stream that is not the first request of its connection (as from a
//! proxy).

mod response;

use std::io;

use axum::{Router, body::Body, extract::Request};
use http::Response;
use http_body_util::BodyExt as _;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tower::ServiceExt as _;

use self::response::{Framing, end_of_head, head, is_event_stream, pass_on};

/// Answers the one request of a connection, however long that takes.
pub(crate) async fn answer(mut socket: TcpStream, request: Request, routes: Router) -> io::Result<()> {
    // The memory of opening the stream is released before the stream lasts.
    let opening = Box::pin(open(&mut socket, request, routes)).await?;
    match opening {
        Some((body, framing)) => pass_on(socket, body, framing).await,
        None => socket.shutdown().await,
    }
}

/// Writes the head of the response. Returns the body and its framing if it is a stream; any other body is
/// written, too.
async fn open(
    socket: &mut TcpStream,
    request: Request,
    routes: Router,
) -> io::Result<Option<(Body, Framing)>> {
    let framing = Framing::of(request.version());
    let response = routes.oneshot(request).await.unwrap_or_else(|never| match never {});
    let is_stream = is_event_stream(response.headers());
    let (parts, body) = response.into_parts();
    let mut head = head(&Response::from_parts(parts, ()));
    if is_stream {
        head.extend_from_slice(end_of_head(framing));
        socket.write_all(&head).await?;
        return Ok(Some((body, framing)));
    }
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    head.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    head.extend_from_slice(&body);
    socket.write_all(&head).await?;
    Ok(None)
}
