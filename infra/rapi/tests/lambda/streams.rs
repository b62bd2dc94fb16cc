//! Streams and waits end before their environment does.

use std::time::Duration;

use messenger_rapi::{Function, Gateway, Request, Streamed};
use messenger_runtime::testing::token;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{by_url, database, function, notification, of_user};

const PATIENCE: Duration = Duration::from_secs(30);

/// Opens a stream of the user `mueller`, from a position or from now.
async fn open(events: &Function, since: Option<&str>, time_limit: Duration) -> Streamed {
    let request = Request::get(&format!("/api/v1/events/stream?token={}", token("mueller")));
    let request = since.into_iter().fold(request, |request, id| request.header("Last-Event-ID", id));
    let outcome = events.invoke(by_url(&request).within(time_limit)).await.expect("an outcome");
    let stream = outcome.stream().expect("it is streamed");
    assert_eq!(stream.head.status, 200);
    assert_eq!(stream.head.header("content-type"), Some("text/event-stream; charset=utf-8"));
    stream
}

/// Returns the text until the stream ends.
async fn until_end(mut stream: Streamed) -> String {
    let mut text = String::new();
    while let Some(piece) = timeout(PATIENCE, stream.next()).await.expect("in time").expect("it is not cut") {
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    text
}

/// Asserts that a stream ended with a block that sets `retry` and has data.
fn assert_ends_with_retry(text: &str) {
    let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let retry = last.strip_prefix("retry: ").and_then(|rest| rest.split('\n').next());
    assert!(retry.is_some_and(|retry| retry.parse::<u32>().is_ok()), "{text}");
    assert!(last.contains("\ndata: {\"type\":\"reconnect\""), "{text}");
}

#[tokio::test]
async fn a_stream_ends_with_retry_before_the_deadline_and_loses_nothing() {
    let database = database().await;
    let (events, notifications) =
        (function("events", &database, &[]).await, function("notifications", &database, &[]).await);
    let begin = Instant::now();
    // Of a short time, the margin is a fifth.
    let stream = open(&events, None, Duration::from_secs(5)).await;
    let first = until_end(stream).await;
    let lasted = begin.elapsed();
    assert!((3..5).contains(&lasted.as_secs()), "{lasted:?}");
    assert_ends_with_retry(&first);
    let id = first.lines().find_map(|line| line.strip_prefix("id: ")).expect("a position");
    let event = notification(&json!({ "title": "dazwischen" })).event(&Gateway::FunctionUrl);
    let sent = notifications.call(&event).await.expect("an answer");
    assert_eq!(sent.status, 201);
    let second = until_end(open(&events, Some(id), Duration::from_secs(5)).await).await;
    assert!(second.contains("dazwischen"), "{second}");
    assert_ends_with_retry(&second);
}

#[tokio::test]
async fn a_stream_lasts_no_longer_than_configured() {
    let database = database().await;
    let events = function("events", &database, &[("SSE_MAX_SECONDS", "2")]).await;
    let begin = Instant::now();
    let text = until_end(open(&events, None, Duration::from_mins(15)).await).await;
    assert_eq!(begin.elapsed().as_secs(), 2);
    assert_ends_with_retry(&text);
}

#[tokio::test]
async fn an_environment_whose_client_is_gone_serves_on_after_the_end_of_the_stream() {
    let database = database().await;
    let events = function("events", &database, &[("SSE_MAX_SECONDS", "2")]).await;
    let mut stream = open(&events, None, Duration::from_mins(15)).await;
    stream.next().await.expect("it is not cut").expect("a piece");
    drop(stream);
    let text = until_end(open(&events, None, Duration::from_mins(15)).await).await;
    assert_ends_with_retry(&text);
}

#[tokio::test]
async fn a_long_poll_is_answered_before_the_deadline() {
    let database = database().await;
    let poll = function("poll", &database, &[]).await;
    let request = of_user("mueller", "/api/v1/events/poll?wait=25");
    let begin = Instant::now();
    let outcome = poll.invoke(by_url(&request).within(Duration::from_secs(5))).await.expect("an outcome");
    let answer = outcome.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "[]"));
    assert!((3..5).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}
