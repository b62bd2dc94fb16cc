//! Yields one subscription as `text/event-stream`.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{Stream, future};
use tokio::sync::oneshot;

use crate::{
    domain::error::Result,
    live::{
        broker::{Broker, ConnectionId, Subscription},
        send_buffer::SendBuffer,
        stream_counts::OpenStream,
    },
};

/// A subscription that yields pieces of `text/event-stream`. Dropping it ends the subscription.
pub struct EventStream {
    broker: Arc<Broker>,
    id: ConnectionId,
    send_buffer: Arc<SendBuffer>,
    /// The first bytes, until they are read.
    pub(crate) preamble: Option<Bytes>,
    /// Releases the permit of the preamble when it is dropped: a reader that polls again has written the
    /// preamble.
    pub(crate) preamble_unread: Option<oneshot::Sender<()>>,
    /// Counts the stream while it is open; `None` for a long poll.
    pub(crate) counted: Option<OpenStream>,
}

impl EventStream {
    /// Creates an event stream that is woken by events of the log only, not by ephemeral events.
    pub(crate) fn for_long_poll(broker: &Arc<Broker>, subscription: Subscription) -> Self {
        subscription.send_buffer.decline();
        Self::without_preamble(broker, subscription)
    }

    /// Creates an event stream without a preamble.
    pub(crate) fn without_preamble(
        broker: &Arc<Broker>,
        Subscription { id, send_buffer, .. }: Subscription,
    ) -> Self {
        Self { broker: broker.clone(), id, send_buffer, preamble: None, preamble_unread: None, counted: None }
    }

    /// Waits for the next piece. Returns `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Bytes> {
        future::poll_fn(|context| self.poll_piece(context)).await
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(preamble) = self.preamble.take() {
            return Poll::Ready(Some(preamble));
        }
        self.preamble_unread = None;
        self.send_buffer.poll_take(context)
    }
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_piece(context).map(|piece| piece.map(Ok))
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.broker.unsubscribe(self.id);
    }
}
