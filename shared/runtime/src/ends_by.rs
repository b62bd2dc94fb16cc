//! The time by which an answer must be complete: an environment of Lambda ends then, and a stream may last no
//! longer than `SSE_MAX_SECONDS`.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::FromRequestParts;
use bytes::Bytes;
use futures::Stream;
use http::request::Parts;
use messenger_core::live::broker::reconnect_soon;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::App;

/// The time by which the answer of a request must be complete, if there is one.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndsBy(Option<Instant>);

/// The end of the environment's time for a request, as an extension of it. Only requests on Lambda have one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EnvironmentEnd(pub(crate) Instant);

impl EndsBy {
    /// Shortens a wait so that its answer is complete in time.
    pub fn limit(self, wait: Duration) -> Duration {
        self.0.map_or(wait, |end| wait.min(end.saturating_duration_since(Instant::now())))
    }

    /// Ends a stream of server-sent events in time, after a final frame with `retry`.
    pub fn around<S>(self, stream: S) -> Ending<S> {
        // Without an end a stream has no timer.
        Ending { stream, end: self.0.map(|end| Box::pin(sleep_until(end))), has_ended: false }
    }
}

impl FromRequestParts<App> for EndsBy {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let environment = parts.extensions.get::<EnvironmentEnd>().map(|EnvironmentEnd(end)| *end);
        let longest = app.config.serving.stream_max.map(|longest| Instant::now() + longest);
        Ok(Self(environment.into_iter().chain(longest).min()))
    }
}

/// A stream of server-sent events that ends in time.
pub struct Ending<S> {
    stream: S,
    end: Option<Pin<Box<Sleep>>>,
    has_ended: bool,
}

impl<S: Stream<Item = Result<Bytes, Infallible>> + Unpin> Stream for Ending<S> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let is_over = self.end.as_mut().is_some_and(|end| end.as_mut().poll(context).is_ready());
        match Pin::new(&mut self.stream).poll_next(context) {
            // Events that wait already are sent before the end; the client reads later ones from its cursor.
            Poll::Pending if is_over => {
                self.has_ended = true;
                Poll::Ready(Some(Ok(reconnect_soon())))
            }
            polled => polled,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, stream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_in_time_with_retry_after_the_events_that_wait() {
        let event = || stream::iter([Ok(Bytes::from_static(b"data: 1\n\n"))]).chain(stream::pending());
        let begin = Instant::now();
        let end = EndsBy(Some(begin + Duration::from_secs(7)));
        let pieces: Vec<_> = end.around(event()).collect().await;
        assert_eq!(begin.elapsed().as_secs(), 7);
        let [Ok(first), Ok(last)] = pieces.as_slice() else { panic!("{pieces:?}") };
        assert_eq!(first.as_ref(), b"data: 1\n\n");
        let last = String::from_utf8_lossy(last);
        assert!(last.starts_with("retry: ") && last.contains("\ndata: {\"type\":\"reconnect\""), "{last}");
        let past: Vec<_> = EndsBy(Some(begin)).around(event()).collect().await;
        assert_eq!(past.len(), 2, "an end that has passed loses no event");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_shortened_to_the_end_and_never_extended() {
        let end = EndsBy(Some(Instant::now() + Duration::from_secs(7)));
        assert_eq!(end.limit(Duration::from_secs(25)), Duration::from_secs(7));
        assert_eq!(end.limit(Duration::from_secs(3)), Duration::from_secs(3));
        assert_eq!(EndsBy(Some(Instant::now())).limit(Duration::from_secs(3)), Duration::ZERO);
        assert_eq!(EndsBy::default().limit(Duration::from_secs(25)), Duration::from_secs(25));
    }
}
