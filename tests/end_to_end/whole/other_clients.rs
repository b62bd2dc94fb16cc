//! Other Matrix clients of our users: reading, redacting, and phones that ring.

use std::time::Duration;

use messenger_tests::{Client, Stack, TestUser, encoded};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// A time limit for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Anna and Bert in a room of their own, with Bert's other client; the id of the room.
async fn room_of(anna: &TestUser, bert: &TestUser) -> String {
    anna.wait_until_provisioned().await;
    bert.wait_until_provisioned().await;
    let made = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": [bert.id] })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.body["matrix_room_id"].as_str().expect("a room id").to_owned()
}

/// Says something as this person. Returns the event id.
async fn say(person: &TestUser, room: &str, body: &str) -> String {
    let said = person.post("/api/v1/messages/send", &json!({ "room_id": room, "body": body })).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.body);
    said.body["event_id"].as_str().expect("an event id").to_owned()
}

async fn unread(person: &TestUser, room: &str) -> i64 {
    let rooms = person.get("/api/v1/rooms").await.body;
    let mut rooms = rooms["rooms"].as_array().expect("a list").iter();
    let room = rooms.find(|one| one["matrix_room_id"] == room).expect("the room");
    room["unread_count"].as_i64().expect("a number")
}

/// Waits until this many messages are unread: the process that lists rooms learns of them by push.
async fn has_unread(person: &TestUser, room: &str, expected: i64) {
    let deadline = Instant::now() + PATIENCE;
    while unread(person, room).await != expected {
        assert!(Instant::now() < deadline, "{expected} messages are unread");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn poll(person: &TestUser) -> String {
    person.get("/api/v1/events/poll?cursor=0").await.body.to_string()
}

#[tokio::test]
async fn what_is_read_in_another_client_is_read_here() {
    let stack = Stack::start().await;
    let (anna, bert) = (stack.client().person("anna"), stack.client().person("bert"));
    let room = room_of(&anna, &bert).await;
    let element = stack.matrix("bert").await;
    let mut devices = [bert.stream(None).await, bert.stream(None).await];
    let mut said = Vec::new();
    for n in 0..3 {
        said.push(say(&anna, &room, &n.to_string()).await);
    }
    has_unread(&bert, &room, 3).await;
    // Without `m.read.private` on Conduit, which shows it to nobody.
    let is_synapse = std::env::var_os("CONDUIT_BIN").is_none();
    let private = if is_synapse { "m.read.private" } else { "m.read" };
    for (event, receipt, left) in [(&said[1], "m.read", 1), (&said[0], "m.read", 1), (&said[2], private, 0)] {
        let before = unread(&bert, &room).await;
        element.read(&room, event, receipt).await;
        if before == left {
            continue;
        }
        for device in &mut devices {
            let told = device.next_of("unread").await;
            assert_eq!((&told["room_id"], &told["unread_count"]), (&json!(room), &json!(left)));
        }
        assert_eq!(unread(&bert, &room).await, left);
    }
    // What is read here is told there, and its echo does not come back.
    say(&anna, &room, "4").await;
    has_unread(&bert, &room, 1).await;
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
    let (anna, bert) = (stack.client().person("anna"), stack.client().person("bert"));
    let room = room_of(&anna, &bert).await;
    let element = stack.matrix("anna").await;
    let (events, _service) = stack.another("messenger-events").await;
    let elsewhere = Client::new(&events).person("bert");
    let mut live = [bert.stream(None).await, elsewhere.stream(None).await];
    element.say(&room, "vorher").await;
    for stream in &mut live {
        while stream.next_of("new_message").await["body"] != "vorher" {}
    }
    // What comes later both processes remember.
    let cursor = live[0].last_id().to_owned();
    let gone = element.say(&room, secret).await;
    let edit = json!({
        "msgtype": "m.text", "body": "*", "m.new_content": { "msgtype": "m.text", "body": secret },
        "m.relates_to": { "rel_type": "m.replace", "event_id": gone },
    });
    element.send(&room, "m.room.message", edit).await;
    element.say(&room, "etwas anderes").await;
    for stream in &mut live {
        while stream.next_of("new_message").await["body"] != "etwas anderes" {}
    }
    assert!(poll(&bert).await.contains(secret));
    element.redact(&room, &gone).await;
    for stream in &mut live {
        assert_eq!(stream.next_of("message_redacted").await["event_id"], gone.as_str());
    }
    // Carl comes in later.
    let carl = stack.client().person("carl");
    carl.wait_until_provisioned().await;
    let invited = json!({ "hub_user_id": "carl" });
    anna.post(&format!("/api/v1/rooms/{}/invite", encoded(&room)), &invited).await;
    let late = Client::new(&events).person("carl");
    for (person, cursor, was_there) in [
        (&bert, &*cursor, true),
        (&elsewhere, &cursor, true),
        (&bert, "0", true),
        (&carl, "0", false),
        (&late, "0", false),
    ] {
        let replayed = person.stream(Some(cursor)).await.within(Duration::from_secs(3)).await;
        assert!(replayed.iter().all(|event| !event.data.contains(secret)), "{replayed:?}");
        let emptied = replayed.iter().map(messenger_testkit::sse::SseEvent::json);
        let emptied: Vec<Value> = emptied.filter(|event| event["event_id"] == gone.as_str()).collect();
        // Streams tell of a room since one joined.
        assert_eq!(!emptied.is_empty(), was_there, "{replayed:?}");
        if let Some(emptied) = emptied.first() {
            assert_eq!((&emptied["type"], &emptied["body"]), (&json!("new_message"), &json!("")));
            assert_eq!(emptied["redacted"], true);
        }
    }
    for person in [&bert, &carl] {
        let page = poll(person).await;
        assert!(!page.contains(secret) && page.contains("etwas anderes"), "{page}");
    }
}

/// Asks the homeserver itself. On Conduit, which has no such call, the tests of the homeserver port do it by a pusher.
#[tokio::test]
async fn an_urgent_notification_sounds_in_rooms_of_any_size() {
    let stack = Stack::start().await;
    if std::env::var_os("CONDUIT_BIN").is_some() {
        return;
    }
    let client = stack.client();
    let people: Vec<_> = ["anna", "bert", "carl"].map(|name| client.person(name)).into();
    for person in &people {
        person.wait_until_provisioned().await;
    }
    let notify = async |priority: &str, target: Value| -> String {
        let mut body = json!({
            "source_app": "fertigungs-app", "event_type": "e", "title": "@room anna CNC-01", "priority": priority,
        });
        for (field, value) in target.as_object().expect("fields") {
            body[field] = value.clone();
        }
        let answer = client.notify(&body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        let path = format!("/api/v1/notifications/{}", answer.body["id"]);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = client.ask(&path).await.body;
            if let Some(event) = now["matrix_event_id"].as_str() {
                return event.to_owned();
            }
            assert!(Instant::now() < deadline, "{now}");
            sleep(Duration::from_millis(100)).await;
        }
    };
    let phones = [stack.matrix("anna").await, stack.matrix("bert").await, stack.matrix("carl").await];
    let general = json!({ "target_type": "general" });
    let dm = json!({ "target_type": "dm", "target_user": "anna" });
    for (priority, sounds) in [("normal", false), ("urgent", true)] {
        let event = notify(priority, general.clone()).await;
        for phone in &phones {
            assert_eq!(phone.sounds(&event).await, Some(sounds), "{priority}");
        }
    }
    let event = notify("urgent", dm).await;
    assert_eq!(phones[0].sounds(&event).await, Some(true));
}
