//! Typing: from any Matrix client to the streams of the members only, and from the service to Matrix clients.

use std::time::Duration;

use messenger_testkit::sse::SseEvent;
use messenger_tests::{
    Client, EventStream, Plan, Stack, TestUser, encoded, is_skipped_on_conduit, is_skipped_on_deployment,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// A time longer than any typing event takes to arrive.
const SILENCE: Duration = Duration::from_secs(3);

/// Creates a private room of these two users. Returns its id.
async fn room_of(anna: &TestUser, bert: &TestUser) -> String {
    let created = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": [bert.id] })).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    created.body["matrix_room_id"].as_str().expect("a room id").to_owned()
}

/// Returns the typing events that arrive until the stream is silent.
async fn typing_events(stream: &mut EventStream) -> Vec<SseEvent> {
    stream.within(SILENCE).await.into_iter().filter(|event| event.kind() == "typing").collect()
}

#[tokio::test]
async fn typing_in_another_client_reaches_the_members_only() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert) = (client.user("anna"), client.user("bert"));
    let (carl, fritz) = (client.user("carl"), client.user_of_tenant("fritz", 2));
    for user in [&anna, &bert, &carl, &fritz] {
        user.wait_until_provisioned().await;
    }
    let room = room_of(&anna, &bert).await;
    let bert_id = format!("@bert:{}", stack.server_name());
    let element = stack.matrix("bert").await;
    let mut hers = anna.stream(Some("0")).await;
    while hers.next_of("room_joined").await["room_id"] != room.as_str() {}
    // A second process with streams, to which the homeserver does not push.
    let (events, _service) = stack.start_copy("events").await;
    let mut in_other_process = Client::new(&events).user("anna").stream(None).await;
    let (mut own, mut non_member, mut foreign) =
        (bert.stream(None).await, carl.stream(None).await, fritz.stream(None).await);

    element.set_typing(&room, &bert_id, true).await;
    let name = json!({ "matrix_user_id": bert_id, "hub_user_id": "bert", "display_name": "Name von bert" });
    let expected =
        |users: Value| json!({ "type": "typing", "room_id": room, "users": users, "timeout_ms": 60_000 });
    let cursor = hers.last_id().to_owned();
    for stream in [&mut hers, &mut in_other_process, &mut own] {
        let event = stream.next_typing().await;
        assert_eq!((event.id.as_ref(), event.json()), (None, expected(json!([name]))));
    }
    assert_eq!(hers.last_id(), cursor, "a typing event moves no cursor");
    // Not before both ways brought the event: it is then compared with the last one only.
    assert_eq!(typing_events(&mut hers).await, [], "the second way's copy is a duplicate");
    element.set_typing(&room, &bert_id, false).await;
    for stream in [&mut hers, &mut in_other_process, &mut own] {
        assert_eq!(stream.next_typing().await.json(), expected(json!([])));
    }
    assert_eq!(
        typing_events(&mut hers).await,
        [],
        "push and `/sync` have the same event: it is published once"
    );
    for stream in [&mut non_member, &mut foreign] {
        assert_eq!(typing_events(stream).await, []);
    }
    let page = anna.get("/api/v1/events/poll?cursor=0").await.body.to_string();
    assert!(page.contains("room_joined") && !page.contains("typing"), "{page}");
    assert_eq!(stack.query("select kind from events where kind = $1", "typing").await, None);
}

#[tokio::test]
async fn typing_here_reaches_matrix_clients_and_streams() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert) = (client.user("anna"), client.user("bert"));
    for user in [&anna, &bert] {
        user.wait_until_provisioned().await;
    }
    let room = room_of(&anna, &bert).await;
    let element = stack.matrix("bert").await;
    let (mut his, mut sync_token) = (bert.stream(None).await, element.sync_token().await);
    let path = format!("/api/v1/rooms/{}/typing", encoded(&room));
    let anna_id = format!("@anna:{}", stack.server_name());
    for (body, users) in [
        (json!({ "typing": true }), vec![anna_id.clone()]),
        (json!({ "typing": false }), vec![]),
        (json!({ "typing": true, "timeout_ms": 2000 }), vec![anna_id]),
    ] {
        assert_eq!(anna.post(&path, &body).await.status, StatusCode::NO_CONTENT);
        assert_eq!(element.next_typing(&room, &mut sync_token).await.as_ref(), Some(&users));
        let event = his.next_typing().await.json();
        let typing = event["users"].as_array().expect("a list").iter();
        let typing: Vec<_> = typing.filter_map(|user| user["matrix_user_id"].as_str()).collect();
        assert_eq!(typing, users);
    }
    // The timeout ends it without another call.
    assert_eq!(his.next_typing().await.json()["users"], json!([]));
}

#[tokio::test]
async fn typing_arrives_by_push_or_by_sync_alone() {
    if is_skipped_on_deployment("it breaks the push of the homeserver") {
        return;
    }
    if is_skipped_on_conduit("it does not push typing") {
        return;
    }
    let mut stack = Stack::start_with(Plan { push_proxy: true, ..Plan::default() }).await;
    let client = stack.client();
    let (anna, bert) = (client.user("anna"), client.user("bert"));
    for user in [&anna, &bert] {
        user.wait_until_provisioned().await;
    }
    let room = room_of(&anna, &bert).await;
    let bert_id = format!("@bert:{}", stack.server_name());
    let element = stack.matrix("bert").await;
    let mut hers = anna.stream(None).await;
    let mut expect = async |is_typing: bool| {
        element.set_typing(&room, &bert_id, is_typing).await;
        let event = hers.next_typing().await.json();
        assert_eq!(event["users"].as_array().map(Vec::len), Some(usize::from(is_typing)));
    };
    // As with Conduit, which pushes no ephemeral events.
    stack.push_proxy.as_ref().expect("a push proxy").block();
    expect(true).await;
    expect(false).await;
    stack.push_proxy.as_ref().expect("a push proxy").forward();
    stack.kill_worker();
    // The homeserver retries some seconds after a blocked push.
    tokio::time::sleep(Duration::from_secs(6)).await;
    expect(true).await;
    expect(false).await;
}
