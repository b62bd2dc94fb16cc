//! `GET /metrics`: reads the figures of this moment from their owners and renders all metrics.

use std::time::Duration;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use messenger_core::{
    cursor::Span,
    port::{Backlog, FeedCopies as _},
};
use subtle::ConstantTimeEq as _;
use tokio::time::timeout;

use crate::{
    App, bearer,
    metrics::{Metrics, names},
    program::Role,
};

/// Time limit of each reading, so that a scrape is answered within a second.
const PATIENCE: Duration = Duration::from_millis(800);
/// The media type of the text format, version 0.0.4.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers `/metrics`. In a public process, the path is not found without the token.
pub(super) async fn answer(State(app): State<App>, method: Method, headers: HeaderMap) -> Response {
    if app.is_public && !has_token(&app, &headers) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET,HEAD")]).into_response();
    }
    ([(CONTENT_TYPE, TEXT)], render(&app).await).into_response()
}

/// Returns whether the caller shows `METRICS_TOKEN`. The comparison takes the same time for any token of its
/// length.
fn has_token(app: &App, headers: &HeaderMap) -> bool {
    let wanted = app.config.metrics_token.as_deref().filter(|token| !token.is_empty());
    wanted
        .zip(bearer(headers))
        .is_some_and(|(wanted, shown)| bool::from(shown.as_bytes().ct_eq(wanted.as_bytes())))
}

/// Returns all metrics of a process. A figure that cannot be read now is `NaN`.
async fn render(app: &App) -> String {
    let metrics = &app.metrics;
    let (span, database, homeserver, backlog) = tokio::join!(
        timeout(PATIENCE, app.readings.feed_span(&app.messenger)),
        timeout(PATIENCE, app.messenger.operations().check_database()),
        async {
            let needs_homeserver = app.program.needs_homeserver;
            if needs_homeserver { Some(app.readings.is_homeserver_up(&app.messenger).await) } else { None }
        },
        async {
            if app.program.role != Role::Worker {
                return None;
            }
            let backlog = timeout(PATIENCE, app.readings.backlog(&app.messenger)).await;
            Some(backlog.ok().and_then(Result::ok))
        },
    );
    let span = span.ok().and_then(Result::ok);
    if app.has_database() {
        metrics.gauge(names::DATABASE_UP, &[], flag(matches!(database, Ok(Ok(())))));
    }
    if app.program.role == Role::Worker {
        set_relay(app).await;
    }
    if let Some(is_up) = homeserver {
        metrics.gauge(names::HOMESERVER_UP, &[], flag(is_up));
    }
    if let Some(backlog) = backlog {
        set_backlog(metrics, backlog);
    }
    set_feed(app, span);
    set_own(app);
    metrics.render()
}

/// Sets the figures of the event log and of the broker.
fn set_feed(app: &App, span: Option<Span>) {
    let metrics = &app.metrics;
    let head = span.map(|span| span.head.0);
    metrics.gauge(names::FEED_HEAD, &[], head.map_or(f64::NAN, number));
    if !app.is_broker_started() {
        return;
    }
    let broker = app.messenger.broker().figures();
    let lag = head.zip(broker.position).map(|(head, position)| (head - position.0).max(0));
    metrics.gauge(names::FEED_LAG, &[], lag.map_or(f64::NAN, number));
    let caught_up = broker.since_caught_up.map_or(f64::NAN, |since| since.as_secs_f64());
    metrics.gauge(names::FEED_CAUGHT_UP, &[], caught_up);
    metrics.gauge(names::STREAMS, &[], size(broker.connections));
    metrics.counter(names::STREAMS_TOO_SLOW, &[], broker.too_slow);
    metrics.counter(names::EVENTS_READ, &[], broker.read);
    metrics.counter(names::EVENTS_HANDED_OUT, &[], broker.handed_out);
}

/// Sets the figures of the copy of the event log.
async fn set_relay(app: &App) {
    let (Some(relay), Some(store)) = (&app.relay, app.store()) else { return };
    let lag = timeout(PATIENCE, store.lag()).await.ok().and_then(Result::ok);
    let metrics = &app.metrics;
    metrics.gauge(names::RELAY_LAG, &[], lag.map_or(f64::NAN, |lag| count(lag.events)));
    metrics.gauge(names::RELAY_LAG_SECONDS, &[], lag.map_or(f64::NAN, |lag| lag.age.as_secs_f64()));
    metrics.counter(names::RELAY_THROTTLED, &[], relay.figures().throttled);
}

/// Sets the figures of the work that is still to be done.
fn set_backlog(metrics: &Metrics, backlog: Option<Backlog>) {
    let of = |figure: fn(&Backlog) -> f64| backlog.as_ref().map_or(f64::NAN, figure);
    let age = |age: Option<Duration>| age.unwrap_or_default().as_secs_f64();
    metrics.gauge(names::QUEUES, &[], of(|backlog| count(backlog.queues)));
    metrics.gauge(names::PENDING, &[("state", "queued")], of(|backlog| count(backlog.queued)));
    metrics.gauge(names::PENDING, &[("state", "held")], of(|backlog| count(backlog.held)));
    let oldest = backlog.as_ref().map_or(f64::NAN, |backlog| age(backlog.oldest_pending));
    metrics.gauge(names::OLDEST_PENDING, &[], oldest);
    let oldest = backlog.as_ref().map_or(f64::NAN, |backlog| age(backlog.oldest_due));
    metrics.gauge(names::OLDEST_DUE, &[], oldest);
    metrics.gauge(names::SYNC_AGE, &[], of(|backlog| backlog.since_sync.as_secs_f64()));
    metrics.gauge(names::SYNC_LEASED, &[], of(|backlog| flag(backlog.is_sync_leased)));
}

/// Sets the figures that this process counts itself.
fn set_own(app: &App) {
    let metrics = &app.metrics;
    metrics.gauge(names::PROCESS_START, &[], app.readings.started_at());
    for (reason, failures) in app.messenger.delivery().failures() {
        metrics.counter(names::DELIVERY_FAILURES, &[("reason", reason)], failures);
    }
    let Some(adapters) = &app.adapters else { return };
    for (outcome, calls) in adapters.homeserver.call_outcomes() {
        metrics.counter(names::HOMESERVER_CALLS, &[("outcome", outcome)], calls);
    }
    let Some(store) = &adapters.store else { return };
    let pool = store.pool();
    metrics.gauge(names::CONNECTIONS, &[("state", "used")], size(pool.used));
    metrics.gauge(names::CONNECTIONS, &[("state", "idle")], size(pool.idle));
    metrics.gauge(names::CONNECTIONS_MAX, &[], size(pool.max));
    metrics.gauge(names::CONNECTION_WAITERS, &[], size(pool.waiting));
    metrics.counter(names::STATEMENTS, &[], store.statements());
}

fn flag(is_set: bool) -> f64 {
    if is_set { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 is more than any position reached in a century")]
fn number(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "2^53 notifications are more than any disk holds")]
fn count(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "2^53 connections are more than any process has")]
fn size(size: usize) -> f64 {
    size as f64
}
