//! Event streams: begin at once, have no gaps and no repeats, and reach their audience only.

use std::time::Duration;

use messenger_tests::{
    Client, Part, Plan, Stack,
    client::{in_seconds, raw, token},
    is_skipped_on_deployment,
};
use reqwest::Method;
use serde_json::{Value, json};

fn numbered(n: usize) -> Value {
    json!({ "source_app": "a", "event_type": "e", "title": n.to_string() })
}

async fn start_without_homeserver(environment: &[(&str, &str)]) -> (Stack, Client) {
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let stack =
        Stack::start_with(Plan { homeserver: false, worker: false, environment, ..Plan::default() }).await;
    let client = stack.client();
    (stack, client)
}

#[tokio::test]
async fn a_stream_begins_at_once_with_the_right_headers() {
    let (_stack, client) = start_without_homeserver(&[]).await;
    let user = client.user("mueller");
    let response = client
        .request(Method::GET, "/api/v1/events/stream")
        .query(&[("token", &user.token)])
        .send()
        .await
        .expect("a response");
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(response.headers()["cache-control"], "no-store, no-transform");
    assert_eq!(response.headers()["transfer-encoding"], "chunked");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    assert!(!response.headers().contains_key("content-encoding"));
    let mut bytes = raw(client.request(Method::GET, "/api/v1/events/stream").bearer_auth(&user.token)).await;
    let first = futures::TryStreamExt::try_next(&mut bytes).await.expect("bytes").expect("a piece");
    let first = String::from_utf8(first.to_vec()).expect("UTF-8");
    assert!(first.starts_with("retry: 3000\n"), "{first}");
    assert!(first.contains("\"type\":\"connected\""), "{first}");
}

#[tokio::test]
async fn a_client_that_resumes_from_a_cursor_misses_and_repeats_no_event() {
    let (mut stack, client) = start_without_homeserver(&[]).await;
    let user = client.user("mueller");
    let mut stream = user.stream(None).await;
    let mut titles = Vec::new();
    let mut sent = 0;
    for round in 0..12 {
        for _ in 0..7 {
            client.notify_with(&numbered(sent), "?wait=0", None).await;
            sent += 1;
            if sent % 3 == 0 {
                titles.push(stream.next().await.json()["title"].clone());
            }
        }
        let last = stream.last_id().to_owned();
        drop(stream);
        if round % 4 == 3 {
            stack.kill(Part::Function("events")).await;
            stack.start_again(Part::Function("events")).await;
        }
        client.notify_with(&numbered(sent), "?wait=0", None).await;
        sent += 1;
        stream = user.stream(Some(&last)).await;
    }
    while titles.len() < sent {
        titles.push(stream.next().await.json()["title"].clone());
    }
    let expected: Vec<_> = (0..sent).map(|n| json!(n.to_string())).collect();
    assert_eq!(titles, expected);
}

#[tokio::test]
async fn a_gap_is_reported_by_a_reset_and_the_stream_continues() {
    if is_skipped_on_deployment("it configures the service") {
        return;
    }
    let (_stack, client) = start_without_homeserver(&[("REPLAY_MAX", "5")]).await;
    let user = client.user("mueller");
    let mut live = user.stream(None).await;
    let start = live.last_id().to_owned();
    for n in 0..6 {
        client.notify_with(&numbered(n), "?wait=0", None).await;
        // Waits for each event: a broker that has not read the last ones replays fewer.
        assert_eq!(live.next().await.json()["title"], n.to_string());
    }
    for (cursor, reason) in [
        (start.as_str(), "too_far_behind"),
        ("999999", "unknown_position"),
        ("no cursor", "unknown_position"),
    ] {
        let mut stream = user.stream(Some(cursor)).await;
        let reset = stream.next().await.json();
        assert_eq!((&reset["type"], &reset["reason"]), (&json!("reset"), &json!(reason)));
        client.notify_with(&numbered(7), "?wait=0", None).await;
        assert_eq!(stream.next().await.json()["title"], "7");
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_token_expires() {
    let (_stack, client) = start_without_homeserver(&[]).await;
    // With the leeway of 30 s this token expires in three seconds.
    let claims = json!({ "sub": "mueller", "iss": "aesystek-hub", "exp": in_seconds(-27) });
    let mut bytes =
        raw(client.request(Method::GET, "/api/v1/events/stream").query(&[("token", &token(&claims))])).await;
    let mut all = Vec::new();
    let end = async {
        while let Some(piece) = futures::TryStreamExt::try_next(&mut bytes).await.expect("bytes") {
            all.extend_from_slice(&piece);
        }
    };
    tokio::time::timeout(Duration::from_secs(30), end).await.expect("the stream ends");
    let all = String::from_utf8(all).expect("UTF-8");
    assert!(all.ends_with("data: {\"type\":\"token_expired\"}\n\n"), "{all}");
}

#[tokio::test]
async fn keepalives_come_in_time_and_move_no_cursor() {
    let (_stack, client) = start_without_homeserver(&[]).await;
    let mut stream = client.user("mueller").stream(None).await;
    let before = stream.last_id().to_owned();
    let events = stream.within(Duration::from_secs(21)).await;
    assert!(events.iter().any(|event| event.kind() == "keepalive" && event.id.is_none()), "{events:?}");
    assert!(events.iter().all(|event| event.last_id == before), "{events:?}");
}

#[tokio::test]
async fn another_tenant_receives_no_events() {
    let (_stack, client) = start_without_homeserver(&[]).await;
    let foreign = client.user_of_tenant("spion", 2);
    let mut stream = foreign.stream(Some("0")).await;
    for target in [
        json!({ "target_type": "general" }),
        json!({ "target_type": "entity_room", "entity_type": "m", "entity_id": 1 }),
        json!({ "target_type": "service_room" }),
        json!({ "target_type": "dm", "target_user": "mueller" }),
    ] {
        let mut body = numbered(1);
        body.as_object_mut().expect("an object").extend(target.as_object().expect("an object").clone());
        assert!(client.notify_with(&body, "?wait=0", None).await.status.is_success());
    }
    let events = stream.within(Duration::from_millis(700)).await;
    assert!(events.iter().all(|event| event.kind() == "keepalive"), "{events:?}");
    assert_eq!(foreign.get("/api/v1/events/poll?cursor=0").await.body, json!([]));
}

#[tokio::test]
async fn a_message_of_another_client_reaches_the_room_once() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (mueller, schmidt) = (client.user("mueller"), client.user("schmidt"));
    // On a quick homeserver a user may be provisioned before their first stream is open.
    schmidt.wait_until_provisioned().await;
    mueller.wait_until_provisioned().await;
    let mut stream = schmidt.stream(None).await;
    let matrix = stack.matrix("mueller").await;
    let room = matrix.rooms(1).await.remove(0);
    for n in 0..5 {
        let event_id = matrix.send_text(&room, &format!("Hallo {n}")).await;
        let event = stream.next_of("new_message").await;
        assert_eq!(event["body"], format!("Hallo {n}"));
        assert_eq!(event["event_id"], event_id);
        assert_eq!(event["room_id"], room);
        assert_eq!(event["sender_display_name"], "Name von mueller");
        assert_eq!(event["msg_type"], "m.text");
    }
    assert!(
        client
            .user_of_tenant("spion", 2)
            .get("/api/v1/events/poll?cursor=0")
            .await
            .body
            .to_string()
            .find("Hallo")
            .is_none()
    );
}
