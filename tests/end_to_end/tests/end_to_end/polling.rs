//! Polling: the event log, page by page.

use std::time::{Duration, Instant};

use messenger_tests::{Plan, Stack};
use serde_json::{Value, json};

fn numbered(n: usize) -> Value {
    json!({ "source_app": "a", "event_type": "e", "title": n.to_string() })
}

fn titles(page: &Value) -> Vec<String> {
    let events = page.as_array().expect("a bare array");
    events.iter().filter_map(|event| event["title"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn each_reader_gets_all_events_since_its_last_poll() {
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let user = client.user("mueller");
    client.notify_with(&numbered(0), "?wait=0", None).await;
    assert_eq!(
        user.get("/api/v1/events/poll").await.body,
        json!([]),
        "the first poll starts at the present position"
    );
    assert_eq!(user.get("/api/v1/events/poll?client=b").await.body, json!([]));
    for n in 1..4 {
        client.notify_with(&numbered(n), "?wait=0", None).await;
    }
    let page = user.get(&format!("/api/v1/events/poll?token={}", user.token)).await;
    assert_eq!(titles(&page.body), ["1", "2", "3"]);
    let last = page.body[2]["id"].as_i64().expect("a position");
    assert_eq!(page.headers["x-next-cursor"], last.to_string().as_str());
    assert_eq!(user.get("/api/v1/events/poll").await.body, json!([]));
    assert_eq!(titles(&user.get("/api/v1/events/poll?client=b").await.body), ["1", "2", "3"]);
    let again = format!("/api/v1/events/poll?cursor={}", last - 1);
    for _ in 0..2 {
        assert_eq!(titles(&user.get(&again).await.body), ["3"], "a poll with a cursor can be repeated");
    }
}

#[tokio::test]
async fn a_long_poll_returns_when_an_event_arrives() {
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let user = client.user("mueller");
    user.get("/api/v1/events/poll").await;
    let begun = Instant::now();
    let (page, ()) = tokio::join!(user.get("/api/v1/events/poll?wait=20"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        client.notify_with(&numbered(1), "?wait=0", None).await;
    });
    assert_eq!(titles(&page.body), ["1"]);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(user.get("/api/v1/events/poll?wait=1").await.body, json!([]));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let gap = user.get("/api/v1/events/poll?cursor=99999").await;
    assert_eq!(gap.body, json!([{ "type": "reset", "reason": "unknown_position" }]));
}
