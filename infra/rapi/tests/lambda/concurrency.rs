//! Several invocations at once in one environment (`AWS_LAMBDA_MAX_CONCURRENCY`).

use std::time::Duration;

use messenger_rapi::Request;
use messenger_runtime::testing::token;
use tokio::time::Instant;

use crate::{by_url, database, function, of_user};

#[tokio::test]
async fn an_environment_with_concurrency_answers_waiting_polls_side_by_side() {
    let database = database().await;
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "4"), ("DATABASE_POOL_SIZE", "4")];
    let poll = function("poll", &database, &variables).await;
    poll.api().idle(4).await.expect("four wait");
    let begin = Instant::now();
    let wait = async |user: &str| {
        let request = of_user(user, "/api/v1/events/poll?wait=2");
        poll.invoke(by_url(&request)).await.expect("an outcome").answer().await.expect("an answer").status
    };
    let statuses = tokio::join!(wait("a"), wait("b"), wait("c"), wait("d"));
    assert_eq!(statuses, (200, 200, 200, 200));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_environment_with_concurrency_has_several_streams() {
    let database = database().await;
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "3"), ("SSE_MAX_SECONDS", "3")];
    let events = function("events", &database, &variables).await;
    let request = Request::get(&format!("/api/v1/events/stream?token={}", token("mueller")));
    let begin = Instant::now();
    let stream = async || events.invoke(by_url(&request)).await.expect("an outcome").answer().await;
    let (first, second, third) = tokio::join!(stream(), stream(), stream());
    for answer in [first, second, third] {
        assert!(answer.expect("a stream").text().contains("\"type\":\"connected\""));
    }
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
}
