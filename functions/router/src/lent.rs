//! The body of a request that is passed on. It stays with the router until an upstream reads from it, so a request can
//! be tried elsewhere without a copy of its body.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

/// A body, and how it is read. Clones are the same body.
#[derive(Clone)]
pub(crate) struct Lent(Arc<Mutex<State>>);

struct State {
    body: Body,
    is_read: bool,
    last: Instant,
}

impl Lent {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(State { body, is_read: false, last: Instant::now() })))
    }

    /// Whether anything has been asked of it: then it cannot be sent to anybody else.
    pub(crate) fn is_read(&self) -> bool {
        self.state().is_read
    }

    /// When a piece of it was last passed on; at first, when it was made.
    pub(crate) fn last_progress(&self) -> Instant {
        self.state().last
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut state = self.state();
        state.is_read = true;
        let frame = Pin::new(&mut state.body).poll_frame(context);
        if frame.is_ready() {
            state.last = Instant::now();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.state().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.state().body.size_hint()
    }
}
