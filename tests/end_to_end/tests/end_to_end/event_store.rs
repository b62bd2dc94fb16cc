//! Streams and polls from DynamoDB.

use std::time::Duration;

use messenger_tests::{
    Client, Plan, Stack, TestUser, event_store::dynamodb, is_skipped_on_deployment, wait_until,
};
use serde_json::{Value, json};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_mins(1);

fn numbered(n: usize) -> Value {
    json!({ "source_app": "a", "event_type": "e", "title": n.to_string() })
}

/// Starts a service without a homeserver that reads events from DynamoDB.
async fn start_on_dynamodb() -> (Stack, Vec<(String, String)>) {
    let environment = dynamodb();
    let plan = Plan { homeserver: false, environment: environment.clone(), ..Plan::default() };
    (Stack::start_with(plan).await, environment)
}

/// Starts another router on the database of a service.
async fn router_beside(home: &Stack, environment: Vec<(String, String)>) -> Stack {
    let database_url = Some(home.database_url().to_owned());
    let plan = Plan { homeserver: false, worker: false, database_url, environment, ..Plan::default() };
    Stack::start_with(plan).await
}

async fn until_copied(user: &TestUser) {
    wait_until("the copy is complete", async || {
        user.get("/api/v1/events/poll?cursor=0").await.status.is_success()
    })
    .await;
}

/// Reads pages until a poll has returned this number of notifications.
async fn polled(user: &TestUser, count: usize) -> Vec<String> {
    let mut titles = Vec::new();
    let mut cursor = "0".to_owned();
    while titles.len() < count {
        let page = user.get(&format!("/api/v1/events/poll?cursor={cursor}&wait=5")).await;
        page.headers["x-next-cursor"].to_str().expect("a cursor").clone_into(&mut cursor);
        let events = page.body.as_array().expect("a page").clone();
        titles.extend(events.iter().filter_map(|event| event["title"].as_str().map(str::to_owned)));
    }
    titles
}

async fn text(client: &Client, path: &str) -> String {
    client.request(reqwest::Method::GET, path).send().await.expect("a response").text().await.expect("a text")
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_their_own_stream_and_poll_from_dynamodb() {
    if is_skipped_on_deployment("it starts processes") {
        return;
    }
    let (home, environment) = start_on_dynamodb().await;
    let (events, _events) = home.start_function("messenger-events").await;
    let (poll, _poll) = home.start_function("messenger-poll").await;
    let upstreams = [("UPSTREAM_EVENTS", &events), ("UPSTREAM_POLL", &poll)];
    let upstreams = upstreams.map(|(name, url)| (name.to_owned(), url.clone()));
    let front = router_beside(&home, [environment, upstreams.to_vec()].concat()).await;
    let client = front.client();
    let user = client.user("mueller");
    until_copied(&user).await;
    let mut stream = user.stream(None).await;
    for n in 0..40 {
        client.notify_with(&numbered(n), "?wait=0", None).await;
    }
    let expected: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let mut streamed = Vec::new();
    while streamed.len() < 40 {
        let next = timeout(PATIENCE, stream.next()).await.expect("an event").json();
        streamed.extend(next["title"].as_str().map(str::to_owned));
    }
    assert_eq!(streamed, expected);
    assert_eq!(timeout(PATIENCE, polled(&user, 40)).await.expect("all events"), expected);

    let ready = text(&Client::new(&events), "/readyz").await;
    assert!(ready.contains(r#""part":"copy","ready":true"#), "{ready}");
    wait_until("the worker has relayed everything", async || {
        text(&home.worker_client(), "/metrics")
            .await
            .contains("messenger_relay_lag_events{function=\"worker\"} 0")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_follow_while_the_store_is_switched_forth_and_back() {
    if is_skipped_on_deployment("it starts processes") {
        return;
    }
    let (copied, _) = start_on_dynamodb().await;
    let plain = router_beside(&copied, Vec::new()).await;
    until_copied(&copied.client().user("mueller")).await;
    let routers = [plain.client(), copied.client()];
    let mut last = None;
    let mut seen = Vec::new();
    for round in 0..8 {
        let client = &routers[round % 2];
        let mut stream = client.user("mueller").stream(last.as_deref()).await;
        for n in 0..5 {
            client.notify_with(&numbered(round * 5 + n), "?wait=0", None).await;
            let next = timeout(PATIENCE, stream.next()).await.expect("an event").json();
            seen.push(next["title"].as_str().map_or_else(|| next.to_string(), str::to_owned));
        }
        // The next router has these events later, or has none of its own in between.
        last = Some(stream.last_id().to_owned());
    }
    let expected: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    assert_eq!(seen, expected);
    let mut titles = Vec::new();
    for round in 0..8 {
        let user = routers[round % 2].user("schmidt");
        // A reader whose cursor the service keeps.
        user.get("/api/v1/events/poll").await;
        if round == 0 {
            continue;
        }
        routers[0].notify_with(&numbered(100 + round), "?wait=0", None).await;
        let reader = routers[0].user("schmidt");
        for event in reader.get("/api/v1/events/poll?wait=20").await.body.as_array().expect("a page") {
            titles.push(event["title"].as_str().map_or_else(|| event.to_string(), str::to_owned));
        }
    }
    let expected: Vec<_> = (101..108).map(|n| n.to_string()).collect();
    assert_eq!(titles, expected, "an event is read twice, or not at all");
}
