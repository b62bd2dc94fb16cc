//! `naive`: an afternoon's server with axum and a broadcast channel, without log, audience, token or resume.
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::{BufMut, BytesMut};
use futures::stream;
use tokio::net::TcpListener;
use tokio::sync::broadcast::{Receiver, Sender, channel, error::RecvError};

/// Events that may wait for the slowest reader.
const WAITING: usize = 4096;
pub(crate) const STREAM: &str = "/stream";
pub(crate) const PUBLISH: &str = "/publish";

/// Serves until the process is killed.
pub(crate) async fn run(port: u16) -> Result<()> {
    let (sender, _) = channel::<Bytes>(WAITING);
    let routes = Router::new()
        .route(STREAM, get(stream))
        .route(PUBLISH, post(publish))
        .route("/livez", get(|| async { "ok" }))
        .with_state(Arc::new(sender));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, routes).await?)
}

async fn publish(State(sender): State<Arc<Sender<Bytes>>>, body: Bytes) -> StatusCode {
    // It fails if there is no subscriber.
    let _ = sender.send(frame(&body));
    StatusCode::CREATED
}

async fn stream(State(sender): State<Arc<Sender<Bytes>>>) -> impl IntoResponse {
    let preamble = Bytes::from_static(b"data: {\"type\":\"connected\"}\n\n");
    let events = stream::unfold((sender.subscribe(), Some(preamble)), |(mut receiver, preamble)| async {
        let piece = match preamble {
            Some(preamble) => preamble,
            None => next(&mut receiver).await?,
        };
        Some((Ok::<_, Infallible>(piece), (receiver, None)))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(events))
}

/// Returns all waiting events in one piece.
async fn next(receiver: &mut Receiver<Bytes>) -> Option<Bytes> {
    let first = loop {
        match receiver.recv().await {
            Ok(first) => break first,
            // A slow reader loses events.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    };
    if receiver.is_empty() {
        return Some(first);
    }
    let mut piece = BytesMut::from(&first[..]);
    while let Ok(more) = receiver.try_recv() {
        piece.extend_from_slice(&more);
    }
    Some(piece.freeze())
}

/// Encodes an event.
pub(crate) fn frame(data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + 8);
    frame.put_slice(b"data: ");
    frame.put_slice(data);
    frame.put_slice(b"\n\n");
    frame.freeze()
}
