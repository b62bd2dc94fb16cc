//! Other Matrix clients of the service's users: receipts, redactions, and sounds on phones.

use std::time::Duration;

use messenger_tests::{Client, Stack, TestUser, encoded, eventually, wait_until};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Provisions Anna and Bert and creates a room of the two. Returns its id.
async fn room_of(anna: &TestUser, bert: &TestUser) -> String {
    anna.wait_until_provisioned().await;
    bert.wait_until_provisioned().await;
    let created = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": [bert.id] })).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    created.body["matrix_room_id"].as_str().expect("a room id").to_owned()
}

/// Sends a message as this user. Returns the event id.
async fn send_message(user: &TestUser, room: &str, body: &str) -> String {
    let sent = user.post("/api/v1/messages/send", &json!({ "room_id": room, "body": body })).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.body);
    sent.body["event_id"].as_str().expect("an event id").to_owned()
}

async fn unread(user: &TestUser, room: &str) -> i64 {
    let rooms = user.get("/api/v1/rooms").await.body;
    let mut rooms = rooms["rooms"].as_array().expect("a list").iter();
    let room = rooms.find(|one| one["matrix_room_id"] == room).expect("the room");
    room["unread_count"].as_i64().expect("a number")
}

/// Waits until this many messages are unread: the process that lists rooms receives them by push.
async fn wait_for_unread(user: &TestUser, room: &str, expected: i64) {
    let texts = format!("{expected} messages are unread");
    wait_until(&texts, async || unread(user, room).await == expected).await;
}

async fn poll(user: &TestUser) -> String {
    user.get("/api/v1/events/poll?cursor=0").await.body.to_string()
}

#[tokio::test]
async fn a_receipt_of_another_client_marks_messages_as_read() {
    let stack = Stack::start().await;
    let (anna, bert) = (stack.client().user("anna"), stack.client().user("bert"));
    let room = room_of(&anna, &bert).await;
    let element = stack.matrix("bert").await;
    let mut devices = [bert.stream(None).await, bert.stream(None).await];
    let mut events = Vec::new();
    for n in 0..3 {
        events.push(send_message(&anna, &room, &n.to_string()).await);
    }
    wait_for_unread(&bert, &room, 3).await;
    // Conduit shows `m.read.private` to no client.
    let is_synapse = std::env::var_os("CONDUIT_BIN").is_none();
    let private = if is_synapse { "m.read.private" } else { "m.read" };
    for (event, receipt, left) in
        [(&events[1], "m.read", 1), (&events[0], "m.read", 1), (&events[2], private, 0)]
    {
        let before = unread(&bert, &room).await;
        element.read(&room, event, receipt).await;
        if before == left {
            continue;
        }
        for device in &mut devices {
            let unread = device.next_of("unread").await;
            assert_eq!((&unread["room_id"], &unread["unread_count"]), (&json!(room), &json!(left)));
        }
        assert_eq!(unread(&bert, &room).await, left);
    }
    // A receipt of this service reaches the homeserver, and its echo is not published.
    send_message(&anna, &room, "4").await;
    wait_for_unread(&bert, &room, 1).await;
    let read = bert.post(&format!("/api/v1/rooms/{}/read", encoded(&room)), &json!({})).await;
    assert!(read.status.is_success(), "{}", read.body);
    assert_eq!(devices[0].next_of("unread").await["unread_count"], 0);
    let echoes = devices[0].within(Duration::from_secs(3)).await;
    assert!(echoes.iter().all(|event| event.kind() != "unread"), "{echoes:?}");
}

#[tokio::test]
async fn redacted_text_is_in_no_replay_and_no_poll_of_any_process() {
    let secret = "mein Passwort";
    let stack = Stack::start().await;
    let (anna, bert) = (stack.client().user("anna"), stack.client().user("bert"));
    let room = room_of(&anna, &bert).await;
    let element = stack.matrix("anna").await;
    let (events, _service) = stack.start_copy("events").await;
    let in_other_process = Client::new(&events).user("bert");
    let mut live = [bert.stream(None).await, in_other_process.stream(None).await];
    element.send_text(&room, "vorher").await;
    for stream in &mut live {
        while stream.next_of("new_message").await["body"] != "vorher" {}
    }
    // Both processes remember the events after this cursor.
    let cursor = live[0].last_id().to_owned();
    let redacted = element.send_text(&room, secret).await;
    let edit = json!({
        "msgtype": "m.text", "body": "*", "m.new_content": { "msgtype": "m.text", "body": secret },
        "m.relates_to": { "rel_type": "m.replace", "event_id": redacted },
    });
    element.send(&room, "m.room.message", edit).await;
    element.send_text(&room, "etwas anderes").await;
    for stream in &mut live {
        while stream.next_of("new_message").await["body"] != "etwas anderes" {}
    }
    assert!(poll(&bert).await.contains(secret));
    element.redact(&room, &redacted).await;
    for stream in &mut live {
        assert_eq!(stream.next_of("message_redacted").await["event_id"], redacted.as_str());
    }
    // Carl joins later.
    let carl = stack.client().user("carl");
    carl.wait_until_provisioned().await;
    let invited = json!({ "hub_user_id": "carl" });
    anna.post(&format!("/api/v1/rooms/{}/invite", encoded(&room)), &invited).await;
    let late = Client::new(&events).user("carl");
    for (user, cursor, was_member) in [
        (&bert, &*cursor, true),
        (&in_other_process, &cursor, true),
        (&bert, "0", true),
        (&carl, "0", false),
        (&late, "0", false),
    ] {
        let replayed = user.stream(Some(cursor)).await.within(Duration::from_secs(3)).await;
        assert!(replayed.iter().all(|event| !event.data.contains(secret)), "{replayed:?}");
        let emptied = replayed.iter().map(messenger_testkit::sse::SseEvent::json);
        let emptied: Vec<Value> = emptied.filter(|event| event["event_id"] == redacted.as_str()).collect();
        // A stream has the events of a room since the user joined it.
        assert_eq!(!emptied.is_empty(), was_member, "{replayed:?}");
        if let Some(emptied) = emptied.first() {
            assert_eq!((&emptied["type"], &emptied["body"]), (&json!("new_message"), &json!("")));
            assert_eq!(emptied["redacted"], true);
        }
    }
    for user in [&bert, &carl] {
        let page = poll(user).await;
        assert!(!page.contains(secret) && page.contains("etwas anderes"), "{page}");
    }
}

/// Asks the homeserver itself. Conduit has no such call; there the tests of the homeserver port use a pusher.
#[tokio::test]
async fn an_urgent_notification_plays_a_sound_in_rooms_of_any_size() {
    let stack = Stack::start().await;
    if std::env::var_os("CONDUIT_BIN").is_some() {
        return;
    }
    let client = stack.client();
    let users: Vec<_> = ["anna", "bert", "carl"].map(|name| client.user(name)).into();
    for user in &users {
        user.wait_until_provisioned().await;
    }
    let notify = async |priority: &str, target: Value| -> String {
        let mut body = json!({
            "source_app": "fertigungs-app", "event_type": "e", "title": "@room anna CNC-01", "priority": priority,
        });
        for (field, value) in target.as_object().expect("fields") {
            body[field] = value.clone();
        }
        let response = client.notify(&body).await;
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.body);
        let path = format!("/api/v1/notifications/{}", response.body["id"]);
        eventually(async || {
            client.get_as_satellite(&path).await.body["matrix_event_id"].as_str().map(str::to_owned)
        })
        .await
    };
    let phones = [stack.matrix("anna").await, stack.matrix("bert").await, stack.matrix("carl").await];
    let general = json!({ "target_type": "general" });
    let dm = json!({ "target_type": "dm", "target_user": "anna" });
    for (priority, sounds) in [("normal", false), ("urgent", true)] {
        let event = notify(priority, general.clone()).await;
        for phone in &phones {
            assert_eq!(phone.plays_sound(&event).await, Some(sounds), "{priority}");
        }
    }
    let event = notify("urgent", dm).await;
    assert_eq!(phones[0].plays_sound(&event).await, Some(true));
}
