//! Who types: from any Matrix client to the streams of the members and of nobody else, and back.

use std::time::Duration;

use messenger_testkit::sse::SseEvent;
use messenger_tests::{Client, EventStream, Plan, Stack, TestUser, encoded, is_skipped_on_conduit};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Longer than anything that is told takes to arrive, by whatever way.
const SILENCE: Duration = Duration::from_secs(3);

/// A private room of these two; its id.
async fn room_of(anna: &TestUser, bert: &TestUser) -> String {
    let made = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": [bert.id] })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.body["matrix_room_id"].as_str().expect("a room id").to_owned()
}

/// What is told of who types until nothing comes any more.
async fn typing(stream: &mut EventStream) -> Vec<SseEvent> {
    stream.within(SILENCE).await.into_iter().filter(|event| event.kind() == "typing").collect()
}

#[tokio::test]
async fn who_types_elsewhere_is_heard_by_the_members_and_by_nobody_else() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert) = (client.person("anna"), client.person("bert"));
    let (carl, fritz) = (client.person("carl"), client.person_of("fritz", 2));
    for person in [&anna, &bert, &carl, &fritz] {
        person.wait_until_provisioned().await;
    }
    let room = room_of(&anna, &bert).await;
    let bert_id = format!("@bert:{}", stack.server_name());
    let element = stack.matrix("bert").await;
    let mut hers = anna.stream(Some("0")).await;
    while hers.next_of("room_joined").await["room_id"] != room.as_str() {}
    // Another process that serves streams, which the homeserver knows nothing of.
    let (events, _service) = stack.another("messenger-events").await;
    let mut elsewhere = Client::new(&events).person("anna").stream(None).await;
    let (mut own, mut stranger, mut foreign) =
        (bert.stream(None).await, carl.stream(None).await, fritz.stream(None).await);

    element.set_typing(&room, &bert_id, true).await;
    let name = json!({ "matrix_user_id": bert_id, "hub_user_id": "bert", "display_name": "Name von bert" });
    let expected =
        |users: Value| json!({ "type": "typing", "room_id": room, "users": users, "timeout_ms": 60_000 });
    let cursor = hers.last_id().to_owned();
    for stream in [&mut hers, &mut elsewhere, &mut own] {
        let event = stream.next_typing().await;
        assert_eq!((event.id.as_ref(), event.json()), (None, expected(json!([name]))));
    }
    assert_eq!(hers.last_id(), cursor, "it moves no cursor");
    element.set_typing(&room, &bert_id, false).await;
    for stream in [&mut hers, &mut elsewhere, &mut own] {
        assert_eq!(stream.next_typing().await.json(), expected(json!([])));
    }
    assert_eq!(typing(&mut hers).await, [], "push and /sync tell the same: it is shown once");
    for stream in [&mut stranger, &mut foreign] {
        assert_eq!(typing(stream).await, []);
    }
    let page = anna.get("/api/v1/events/poll?cursor=0").await.body.to_string();
    assert!(page.contains("room_joined") && !page.contains("typing"), "{page}");
    assert_eq!(stack.query("select kind from events where kind = $1", "typing").await, None);
}

#[tokio::test]
async fn who_types_here_is_seen_by_plain_clients_and_heard_by_the_others() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert) = (client.person("anna"), client.person("bert"));
    for person in [&anna, &bert] {
        person.wait_until_provisioned().await;
    }
    let room = room_of(&anna, &bert).await;
    let element = stack.matrix("bert").await;
    let (mut his, mut position) = (bert.stream(None).await, element.position().await);
    let path = format!("/api/v1/rooms/{}/typing", encoded(&room));
    let anna_id = format!("@anna:{}", stack.server_name());
    for (body, users) in [
        (json!({ "typing": true }), vec![anna_id.clone()]),
        (json!({ "typing": false }), vec![]),
        (json!({ "typing": true, "timeout_ms": 2000 }), vec![anna_id]),
    ] {
        assert_eq!(anna.post(&path, &body).await.status, StatusCode::NO_CONTENT);
        assert_eq!(element.next_typing(&room, &mut position).await.as_ref(), Some(&users));
        let told = his.next_typing().await.json();
        let told = told["users"].as_array().expect("a list").iter();
        let told: Vec<_> = told.filter_map(|user| user["matrix_user_id"].as_str()).collect();
        assert_eq!(told, users);
    }
    // Nobody said that she stopped.
    assert_eq!(his.next_typing().await.json()["users"], json!([]));
}

#[tokio::test]
async fn one_of_both_ways_is_enough() {
    if is_skipped_on_conduit("it does not push who is typing") {
        return;
    }
    let mut stack = Stack::planned(Plan { gate: true, ..Plan::default() }).await;
    let client = stack.client();
    let (anna, bert) = (client.person("anna"), client.person("bert"));
    for person in [&anna, &bert] {
        person.wait_until_provisioned().await;
    }
    let room = room_of(&anna, &bert).await;
    let bert_id = format!("@bert:{}", stack.server_name());
    let element = stack.matrix("bert").await;
    let mut hers = anna.stream(None).await;
    let mut expect = async |is: bool| {
        element.set_typing(&room, &bert_id, is).await;
        let told = hers.next_typing().await.json();
        assert_eq!(told["users"].as_array().map(Vec::len), Some(usize::from(is)));
    };
    // As on a Conduit, which pushes nothing in passing.
    stack.gate.as_ref().expect("a gate").close();
    expect(true).await;
    expect(false).await;
    stack.gate.as_ref().expect("a gate").open();
    stack.kill_worker();
    // The homeserver comes again some seconds after it was refused.
    tokio::time::sleep(Duration::from_secs(6)).await;
    expect(true).await;
    expect(false).await;
}
