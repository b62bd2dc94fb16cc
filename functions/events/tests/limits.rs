//! The limit of a user's concurrent streams, on the wire.

use axum::http::Request;
use messenger_events::routes;
use messenger_runtime::testing::{Wire, token};
use messenger_testkit::messenger;
use serde_json::json;

#[tokio::test]
async fn a_user_has_a_limit_of_concurrent_streams_and_a_closed_one_frees_its_slot() {
    let messenger = messenger().build();
    let wire = Wire::configured(routes(), &messenger, &[("LIMIT_STREAMS_PER_USER", "3")]);
    let request = |user: &str| Request::get(format!("/api/v1/events/stream?token={}", token(user)));
    let mut streams = Vec::new();
    for _ in 0..3 {
        let response = wire.open(request("mueller"), "").await;
        assert_eq!(response.status(), 200);
        streams.push(response.into_body());
    }
    let refused = wire.ask(request("mueller")).await;
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")));
    assert_eq!(refused.all_headers["retry-after"], "10");
    assert_eq!(
        refused.body["detail"].as_str().expect("text"),
        "too many streams are open for you: at most 3 at once, so close one that is not needed"
    );
    assert_eq!(
        wire.open(request("schmidt"), "").await.status(),
        200,
        "another user has streams of their own"
    );
    streams.pop();
    let response = wire.open(request("mueller"), "").await;
    assert_eq!(response.status(), 200);
    assert_eq!(wire.ask(request("mueller")).await.status, 429);
    drop((streams, response));
    for _ in 0..10 {
        assert_eq!(wire.open(request("mueller"), "").await.status(), 200, "a dropped answer holds nothing");
    }
}
