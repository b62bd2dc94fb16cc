//! Serving routes to the Lambda runtime. Handlers see no difference.
//!
//! Lambda freezes a process as soon as it asks for the next event. So everything that must follow an answer is
//! done before it, and each connection that was open over a freeze is checked before it is used.

mod event;

use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::{Body, BodyDataStream, Bytes},
};
use http::{Response, header::SET_COOKIE};
use http_body_util::{BodyExt as _, Full};
use lambda_http::{
    Adapter, Context, LambdaEvent, Request, RequestExt as _,
    lambda_runtime::{self, MetadataPrelude, StreamResponse},
};
use tokio::time::Instant;
use tower::{ServiceExt as _, service_fn};

use self::event::Event;
use crate::{App, ResponseMode, ends_by::EnvironmentEnd, traces};

/// The time that is left when an answer is complete.
const MARGIN: Duration = Duration::from_secs(5);
/// The beginning of 2000 in milliseconds. A smaller deadline is no time but a duration: the emulator of
/// cargo-lambda sends those.
const FIRST_DEADLINE: u64 = 946_684_800_000;
/// The longest time that API Gateway waits for a response in one piece.
const GATEWAY_MAX: Duration = Duration::from_secs(29);

/// Serves events until the environment ends: one at a time, or `AWS_LAMBDA_MAX_CONCURRENCY` at once.
pub(crate) async fn serve(routes: Router, app: App) -> anyhow::Result<()> {
    let function = Function { routes, app };
    let ended = match function.app.program.mode {
        ResponseMode::Buffered => {
            let whole = service_fn(move |request: Request| function.clone().whole(request));
            let adapter = Adapter::from(whole).map_request(|event: LambdaEvent<Event>| {
                let (payload, context) = event.into_parts();
                LambdaEvent::new(payload.0, context)
            });
            lambda_runtime::run_concurrent(adapter).await
        }
        ResponseMode::Streaming => {
            lambda_runtime::run_concurrent(service_fn(move |event: LambdaEvent<Event>| {
                let (payload, context) = event.into_parts();
                function.clone().streamed(Request::from(payload.0).with_lambda_context(context))
            }))
            .await
        }
    };
    ended.map_err(anyhow::Error::from_boxed)
}

/// A function: its routes and its state.
#[derive(Clone)]
struct Function {
    routes: Router,
    app: App,
}

impl Function {
    /// Answers with a response in one piece.
    ///
    /// # Errors
    /// Returns an error if the body breaks off, as that of a file does with the homeserver's response.
    async fn whole(self, request: Request) -> Result<Response<Full<Bytes>>, lambda_http::Error> {
        let (parts, body) = self.answer(request).await.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(parts, Full::new(body)))
    }

    /// Answers with a response in response streaming mode.
    async fn streamed(self, request: Request) -> Result<StreamResponse<BodyDataStream>, Infallible> {
        let (mut parts, body) = self.answer(request).await.into_parts();
        let cookies = parts.headers.get_all(SET_COOKIE).into_iter();
        let cookies = cookies.map(|cookie| String::from_utf8_lossy(cookie.as_bytes()).into_owned()).collect();
        parts.headers.remove(SET_COOKIE);
        let metadata_prelude = MetadataPrelude { status_code: parts.status, headers: parts.headers, cookies };
        Ok(StreamResponse { metadata_prelude, stream: body.into_data_stream() })
    }

    async fn answer(self, mut request: Request) -> Response<Body> {
        let Self { routes, app } = self;
        app.suspended();
        let remaining = request.lambda_context_ref().map_or(Duration::MAX, remaining);
        if let Some(end) = Instant::now().checked_add(usable(remaining, app.program.mode)) {
            request.extensions_mut().insert(EnvironmentEnd(end));
        }
        let response = routes.oneshot(request).await.unwrap_or_else(|never| match never {});
        app.messenger.delivery().store_sent().await;
        traces::flush().await;
        // Tasks in the background go on before the next request does.
        app.suspended();
        response
    }
}

/// Returns the time until the deadline of an invocation that has just begun.
#[expect(clippy::disallowed_methods, reason = "the deadline is a time of the system's clock")]
pub fn remaining(context: &Context) -> Duration {
    if context.deadline < FIRST_DEADLINE {
        return Duration::from_millis(context.deadline);
    }
    context.deadline().duration_since(SystemTime::now()).unwrap_or_default()
}

/// Returns the time in which an answer must be complete. Of a short time the margin is a fifth.
fn usable(remaining: Duration, mode: ResponseMode) -> Duration {
    let limit = match mode {
        ResponseMode::Buffered => remaining.min(GATEWAY_MAX),
        ResponseMode::Streaming => remaining,
    };
    limit.saturating_sub(MARGIN.min(limit / 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the deadline is a time of the system's clock")]
    fn the_deadline_is_a_time_and_with_the_emulator_a_duration() {
        let remaining = |deadline| {
            let mut context = Context::default();
            context.deadline = deadline;
            remaining(&context)
        };
        assert_eq!(remaining(600_000), Duration::from_mins(10));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let in_an_hour = u64::try_from((now + Duration::from_hours(1)).as_millis()).expect("a time");
        let left = remaining(in_an_hour);
        assert!(left > Duration::from_mins(59) && left <= Duration::from_hours(1), "{left:?}");
        assert_eq!(remaining(in_an_hour - 7_200_000), Duration::ZERO);
    }

    #[test]
    fn an_answer_is_complete_five_seconds_before_the_environment_or_the_gateway_ends_it() {
        let usable = |seconds, mode| usable(Duration::from_secs(seconds), mode).as_secs();
        assert_eq!(usable(900, ResponseMode::Streaming), 895);
        assert_eq!(usable(900, ResponseMode::Buffered), 24);
        assert_eq!(usable(29, ResponseMode::Buffered), 24);
        assert_eq!(usable(10, ResponseMode::Buffered), 8);
        assert_eq!(usable(0, ResponseMode::Streaming), 0);
    }
}
