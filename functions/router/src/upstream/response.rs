//! The response of a copy on its way to the client. Its request is in flight until the body has ended.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use http::{HeaderMap, header};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use messenger_core::live::broker::reconnect;
use messenger_runtime::{
    Shutdown,
    limits::{MinimumRate, MinimumRateBody},
};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::copy::InFlight;
use crate::forwarding::remove_hop_by_hop;

/// The end of a block of Server-Sent Events: our functions write line feeds only.
const BLOCK_END: [u8; 2] = *b"\n\n";

/// A body that is no event stream.
struct Counted {
    body: MinimumRateBody,
    _in_flight: InFlight,
}

/// An event stream. When the router shuts down it ends after a whole block, with a final frame that tells the
/// client when to reconnect.
struct EventStream {
    body: Incoming,
    shutdown: Pin<Box<WaitForCancellationFutureOwned>>,
    /// The last two bytes that the client got.
    last: [u8; 2],
    has_ended: bool,
    _in_flight: InFlight,
}

/// Returns the response of a copy. An event stream may be silent without limit, any other body for as long as
/// its head.
pub(super) fn response_of(
    response: http::Response<Incoming>,
    patience: Duration,
    in_flight: InFlight,
    shutdown: &Shutdown,
) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = if is_event_stream(&parts.headers) {
        Body::new(EventStream {
            body,
            shutdown: Box::pin(shutdown.begun()),
            last: BLOCK_END,
            has_ended: false,
            _in_flight: in_flight,
        })
    } else {
        let rate = MinimumRate { silence: patience, bytes_per_second: 0 };
        let body = MinimumRateBody::new(Body::new(body), rate);
        Body::new(Counted { body, _in_flight: in_flight })
    };
    remove_hop_by_hop(&mut parts.headers);
    Response::from_parts(parts, body)
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    kind.to_ascii_lowercase().starts_with(b"text/event-stream")
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl EventStream {
    /// Remembers the last bytes of a piece.
    fn passes(&mut self, piece: &[u8]) {
        match *piece {
            [.., a, b] => self.last = [a, b],
            [b] => self.last = [self.last[1], b],
            [] => {}
        }
    }
}

impl HttpBody for EventStream {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if self.last == BLOCK_END && self.shutdown.as_mut().poll(context).is_ready() {
            self.has_ended = true;
            return Poll::Ready(Some(Ok(Frame::data(reconnect()))));
        }
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(piece) = frame.data_ref()
        {
            self.passes(piece);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.body.is_end_stream()
    }
}
