//! Ending a use case in the middle, as `kill -9` would.

use std::{future::Future, future::poll_fn, pin::pin, task::Poll};

/// Drives a future for at most so many polls and then drops it; `None` if it was dropped before it was done.
///
/// Every call of an in-memory port pauses once before it acts and once after, so counting up from 0 until something
/// comes back drops a use case before and after everything that it does.
pub async fn crash_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
