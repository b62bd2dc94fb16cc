//! The body of a forwarded request. It stays with the router until an upstream reads from it, so a request
//! can be tried at another copy without a copy of its body.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

/// A body and the state of reading it. Clones are the same body.
#[derive(Clone)]
pub(crate) struct SharedBody(Arc<Mutex<State>>);

struct State {
    body: Body,
    is_read: bool,
    last: Instant,
}

impl SharedBody {
    pub(crate) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(State { body, is_read: false, last: Instant::now() })))
    }

    /// Returns whether an upstream has begun to read it: then it cannot be sent to another.
    pub(crate) fn is_read(&self) -> bool {
        self.state().is_read
    }

    /// Returns the time at which its last piece was read; before the first one, that of its creation.
    pub(crate) fn last_progress(&self) -> Instant {
        self.state().last
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for SharedBody {
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
