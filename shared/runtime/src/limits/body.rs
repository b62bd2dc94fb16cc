//! The minimum rate of a body: a time limit for each wait, and a smallest average rate.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, StatusCode, header::CONNECTION};
use http_body::{Frame, SizeHint};
use hyper::body::Body as _;
use tokio::time::{Instant, Sleep, sleep};

/// The slowest accepted rate of a body. Only time spent waiting for the body counts.
#[derive(Debug, Clone, Copy)]
pub struct MinimumRate {
    /// The longest wait without a byte; zero is no limit.
    pub silence: Duration,
    /// The slowest average, after a first `silence`; zero is no limit.
    pub bytes_per_second: u32,
}

/// A body that fails when it is slower than its [`MinimumRate`].
pub struct MinimumRateBody {
    body: Body,
    rate: MinimumRate,
    received: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    late: Arc<AtomicBool>,
}

/// The error of a body that was slower than its minimum rate.
#[derive(Debug)]
struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body makes no progress")
    }
}

impl std::error::Error for TooSlow {}

/// Middleware that gives the body of each request its minimum rate. Answers 408 if a handler failed over a
/// body that was too slow.
pub(crate) async fn enforce_minimum_rate(
    State(rate): State<MinimumRate>,
    request: Request,
    next: Next,
) -> Response {
    if rate.silence.is_zero() || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let late = Arc::new(AtomicBool::new(false));
    let request = request
        .map(|body| Body::new(MinimumRateBody { late: late.clone(), ..MinimumRateBody::new(body, rate) }));
    let response = next.run(request).await;
    if late.load(Ordering::Relaxed) && !response.status().is_success() {
        // The rest of the body is not read, so the connection cannot be used again.
        let close = [(CONNECTION, HeaderValue::from_static("close"))];
        return (StatusCode::REQUEST_TIMEOUT, close).into_response();
    }
    response
}

impl MinimumRateBody {
    /// Gives a body a minimum rate.
    pub fn new(body: Body, rate: MinimumRate) -> Self {
        Self { body, rate, received: 0, waited: Duration::ZERO, waiting: None, late: Arc::default() }
    }

    /// Returns the longest time that the next wait may last.
    fn patience(&self) -> Duration {
        let MinimumRate { silence, bytes_per_second } = self.rate;
        let Some(earned) = self.received.checked_div(bytes_per_second.into()) else { return silence };
        silence.min((silence + Duration::from_secs(earned)).saturating_sub(self.waited))
    }

    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<TooSlow> {
        let patience = self.patience();
        let (_, timer) = self.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(patience))));
        ready!(timer.as_mut().poll(context));
        self.late.store(true, Ordering::Relaxed);
        Poll::Ready(TooSlow)
    }
}

impl http_body::Body for MinimumRateBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                if let Some((since, _)) = self.waiting.take() {
                    self.waited += since.elapsed();
                }
                if let Some(Ok(frame)) = &frame {
                    self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                }
                Poll::Ready(frame)
            }
            Poll::Pending if self.rate.silence.is_zero() => Poll::Pending,
            Poll::Pending => self.poll_late(context).map(|late| Some(Err(axum::Error::new(late)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    const RATE: MinimumRate = MinimumRate { silence: Duration::from_secs(20), bytes_per_second: 1000 };

    /// Reads a body of `pieces` of `bytes`, one each `seconds`. Returns the number of bytes, the result and
    /// the seconds.
    async fn read(
        pieces: usize,
        bytes: usize,
        seconds: u64,
        rate: MinimumRate,
    ) -> (usize, Result<(), String>, u64) {
        let body = stream::unfold(0, move |n| async move {
            sleep(Duration::from_secs(seconds)).await;
            (n < pieces).then(|| (Ok::<_, Infallible>(vec![b'x'; bytes]), n + 1))
        });
        let (begun, mut body, mut read) =
            (Instant::now(), MinimumRateBody::new(Body::from_stream(body), rate), 0);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => read += frame.into_data().map_or(0, |data| data.len()),
                Err(error) => return (read, Err(error.to_string()), begun.elapsed().as_secs()),
            }
        }
        (read, Ok(()), begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_be_slow_but_neither_silent_nor_below_the_minimum_rate() {
        let slow = "the body makes no progress".to_owned();
        assert_eq!(read(100, 20_000, 19, RATE).await, (2_000_000, Ok(()), 1919), "it is slow and complete");
        assert_eq!(read(3, 1_000_000, 21, RATE).await, (0, Err(slow.clone()), 20), "silent for too long");
        assert_eq!(
            read(1000, 1, 7, RATE).await,
            (2, Err(slow), 20),
            "single bytes are below the minimum rate"
        );
        let any = MinimumRate { bytes_per_second: 0, ..RATE };
        assert_eq!(read(1000, 1, 19, any).await.1, Ok(()), "no rate is required");
        let off = MinimumRate { silence: Duration::ZERO, bytes_per_second: 1000 };
        assert_eq!(read(2, 1, 1_000_000, off).await.1, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_no_reader_waits_does_not_count() {
        let body = Body::from_stream(stream::iter([Ok::<_, Infallible>("a"), Ok("b")]));
        let mut body = MinimumRateBody::new(body, RATE);
        for piece in ["a", "b"] {
            sleep(Duration::from_hours(1)).await;
            let frame = body.frame().await.expect("a frame").expect("it does not fail");
            assert_eq!(frame.into_data().expect("data"), piece);
        }
    }
}
