//! Other Matrix clients beside ours: what is said there is heard here, once and in order, whatever breaks in between.

use std::time::Duration;

use messenger_tests::{Listener, Plan, Stack, difference, encoded, is_skipped_on_conduit};
use serde_json::{Value, json};

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().filter_map(|event| event["event_id"].as_str().map(str::to_owned)).collect()
}

/// How many messages each of the two says in each stretch.
const EACH: usize = 46;

#[tokio::test]
async fn every_message_arrives_once_and_in_order_whatever_breaks() {
    let mut stack = Stack::planned(Plan { gate: true, ..Plan::default() }).await;
    let client = stack.client();
    let (anna, bert) = (client.person("anna"), client.person("bert"));
    anna.wait_until_provisioned().await;
    bert.wait_until_provisioned().await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let (heard_by_anna, heard_by_bert) = (Listener::start(&anna).await, Listener::start(&bert).await);

    let element = std::sync::Arc::new(element);
    let mut said = 0;
    for stretch in 0..6 {
        let gate = stack.gate.as_ref().expect("a gate");
        match stretch {
            0 => {}
            // The homeserver cannot push.
            1 => gate.close(),
            // Nor is there a worker; then there is one again.
            2 => stack.kill_worker(),
            3 => {
                stack.start_worker();
                stack.router.kill();
            }
            4 => {
                stack.kill_worker();
                stack.router.start_again().await.expect("a router");
            }
            _ => {
                gate.open();
                stack.start_worker();
            }
        }
        let (other, place) = (element.clone(), room.clone());
        let elsewhere = tokio::spawn(async move {
            for n in 0..EACH {
                other.say(&place, &format!("element {stretch}.{n}")).await;
            }
        });
        said += EACH;
        if stretch != 3 {
            for n in 0..EACH {
                let body = json!({ "room_id": room, "body": format!("hub {stretch}.{n}"), "txn_id": format!("{stretch}.{n}") });
                let answer = anna.post("/api/v1/messages/send", &body).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
            said += EACH;
        }
        elsewhere.await.expect("said");
    }
    let in_room = ids(&stack.matrix_bot().await.messages(&room).await);
    assert_eq!(in_room.len(), said);
    for heard in [&heard_by_anna, &heard_by_bert] {
        heard
            .until(|events| events.iter().filter(|event| event["type"] == "new_message").count() >= said)
            .await;
    }
    // Whatever the homeserver still has to push is known by now.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for heard in [&heard_by_anna, &heard_by_bert] {
        let heard = ids(&heard.heard("new_message"));
        assert!(heard == in_room, "each once, in the room's order: {}", difference(&heard, &in_room));
    }
    let mut history = Vec::new();
    let mut from = String::new();
    loop {
        let path = format!("/api/v1/messages/history/{}?limit=200{from}", encoded(&room));
        let page = anna.get(&path).await.body;
        history.extend(ids(page["messages"].as_array().expect("messages")));
        match page["end_token"].as_str() {
            Some(token) => from = format!("&from_token={}", encoded(token)),
            None => break,
        }
    }
    history.reverse();
    assert_eq!(history, in_room);
}

#[tokio::test]
async fn edits_reactions_and_redactions_are_told_and_stand_in_the_history() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert) = (client.person("anna"), client.person("bert"));
    anna.wait_until_provisioned().await;
    bert.wait_until_provisioned().await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let mut stream = anna.stream(None).await;
    let event = element.say(&room, "Tipfehler").await;
    assert_eq!(stream.next_of("new_message").await["event_id"], event.as_str());
    let edit = |of: &str, body: &str| {
        json!({
            "msgtype": "m.text", "body": format!("* {body}"), "m.new_content": { "msgtype": "m.text", "body": body },
            "m.relates_to": { "rel_type": "m.replace", "event_id": of },
        })
    };
    element.send(&room, "m.room.message", edit(&event, "Tippfehler")).await;
    let edited = stream.next_of("message_edited").await;
    assert_eq!((&edited["event_id"], &edited["body"]), (&json!(event), &json!("Tippfehler")));
    // Somebody else's words cannot be changed: neither told nor shown.
    stack.matrix("anna").await.send(&room, "m.room.message", edit(&event, "gelogen")).await;
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": event, "key": "✅" } });
    element.send(&room, "m.reaction", reaction).await;
    loop {
        let next = stream.next().await.json();
        assert_ne!(next["type"], "message_edited", "{next}");
        if next["type"] == "reaction" {
            assert_eq!((&next["event_id"], &next["key"]), (&json!(event), &json!("✅")));
            break;
        }
    }
    let path = format!("/api/v1/messages/history/{}", encoded(&room));
    let page = anna.get(&path).await.body;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(page["messages"][0]["body"], "Tippfehler");
    element.redact(&room, &event).await;
    assert_eq!(stream.next_of("message_redacted").await["event_id"], event.as_str());
    assert_eq!(anna.get(&path).await.body["messages"], json!([]));
}

#[tokio::test]
async fn a_room_made_elsewhere_is_one_of_ours_with_its_members_and_all_that_was_said() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert, fritz) = (client.person("anna"), client.person("bert"), client.person_of("fritz", 2));
    for person in [&anna, &bert, &fritz] {
        person.wait_until_provisioned().await;
    }
    let element = stack.matrix("bert").await;
    let mut stream = anna.stream(None).await;
    let id = |name: &str| format!("@{name}:{}", stack.server_name());
    let room = element.create_room(json!({ "preset": "private_chat", "name": "Schicht 3" })).await;
    let first = element.say(&room, "noch allein").await;
    // Somebody of another tenant is in it, and hears nothing of it here.
    element.invite(&room, &id("fritz")).await;
    element.invite(&room, &id("anna")).await;
    let joined = loop {
        let joined = stream.next_of("room_joined").await;
        if joined["room_id"] == room.as_str() {
            break joined;
        }
    };
    assert_eq!(joined["room_id"], room.as_str());
    let second = element.say(&room, "und zusammen").await;
    loop {
        if stream.next_of("new_message").await["event_id"] == second.as_str() {
            break;
        }
    }
    let path = format!("/api/v1/messages/history/{}", encoded(&room));
    let history = ids(anna.get(&path).await.body["messages"].as_array().expect("messages"));
    assert_eq!(history, [second, first]);
    let body = json!({ "room_id": room, "body": "von der anderen Seite" });
    assert_eq!(anna.post("/api/v1/messages/send", &body).await.status, 200);
    assert_eq!(element.messages(&room).await.len(), 3);
    assert_eq!(fritz.get(&path).await.status, 404);
    let name =
        stack.query("select name from rooms where kind = 'custom' and matrix_room_id = $1", &room).await;
    assert_eq!(name.as_deref(), Some("Schicht 3"));

    stack.matrix("anna").await.leave(&room).await;
    assert_eq!(stream.next_of("room_left").await["room_id"], room.as_str());
    assert_eq!(anna.get(&path).await.status, 404);
    assert_eq!(bert.get(&path).await.status, 200);
}

#[tokio::test]
async fn a_direct_chat_opened_elsewhere_is_the_one_of_these_two_and_encrypted_rooms_are_left_alone() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert) = (client.person("anna"), client.person("bert"));
    anna.wait_until_provisioned().await;
    bert.wait_until_provisioned().await;
    let element = stack.matrix("bert").await;
    let mut stream = anna.stream(None).await;
    let other = format!("@anna:{}", stack.server_name());
    let direct = json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [other] });
    let room = element.create_room(direct.clone()).await;
    assert_eq!(stream.next_of("room_joined").await["room_id"], room.as_str());
    let key = stack.query("select key from rooms where kind = 'dm' and matrix_room_id = $1", &room).await;
    assert_eq!(key.as_deref(), Some("anna/bert"));
    // A second one is a room like any other.
    let second = element.create_room(direct).await;
    assert_eq!(stream.next_of("room_joined").await["room_id"], second.as_str());
    let kind = stack.query("select kind from rooms where matrix_room_id = $1", &second).await;
    assert_eq!(kind.as_deref(), Some("custom"));

    let secret = json!({
        "preset": "private_chat", "invite": [other],
        "initial_state": [{
            "type": "m.room.encryption", "state_key": "", "content": { "algorithm": "m.megolm.v1.aes-sha2" },
        }],
    });
    let secret = element.create_room(secret).await;
    let later = stream.within(Duration::from_secs(3)).await;
    assert!(later.iter().all(|event| event.kind() == "keepalive"), "{later:?}");
    assert_eq!(stack.query("select kind from rooms where matrix_room_id = $1", &secret).await, None);
}

#[tokio::test]
async fn a_position_that_the_homeserver_does_not_know_is_given_up_and_nothing_is_lost_or_doubled() {
    let mut stack = Stack::planned(Plan { gate: true, ..Plan::default() }).await;
    let client = stack.client();
    let anna = client.person("anna");
    anna.wait_until_provisioned().await;
    let element = stack.matrix("anna").await;
    let room = element.rooms(1).await.remove(0);
    let heard = Listener::start(&anna).await;
    for n in 0..60 {
        element.say(&room, &format!("before {n}")).await;
    }
    let told = |count: usize| {
        move |events: &[Value]| events.iter().filter(|event| event["type"] == "new_message").count() >= count
    };
    heard.until(told(60)).await;
    stack.gate.as_ref().expect("a gate").close();
    stack.kill_worker();
    let forged = "update reconciliation set sync_token = $1, lease_until = now() returning sync_token";
    assert_eq!(stack.query(forged, "of another server").await.as_deref(), Some("of another server"));
    for n in 0..120 {
        element.say(&room, &format!("after {n}")).await;
    }
    stack.start_worker();
    heard.until(told(180)).await;
    element.say(&room, "and on").await;
    heard.until(told(181)).await;
    assert_eq!(ids(&heard.heard("new_message")), ids(&stack.matrix_bot().await.messages(&room).await));
    let log = stack.log("messenger-worker");
    let told = log.lines().filter(|line| line.contains("does not know where we have arrived"));
    assert_eq!(told.count(), 1, "{log}");
}

#[tokio::test]
async fn a_room_into_which_only_the_bot_was_invited_is_adopted_when_push_is_away() {
    let stack = Stack::planned(Plan { gate: true, ..Plan::default() }).await;
    let client = stack.client();
    let anna = client.person("anna");
    anna.wait_until_provisioned().await;
    let element = stack.matrix("anna").await;
    let mut stream = anna.stream(None).await;
    stack.gate.as_ref().expect("a gate").close();
    let bot = format!("@messenger:{}", stack.server_name());
    let room = element.create_room(json!({ "preset": "private_chat", "name": "Schicht 4" })).await;
    let first = element.say(&room, "vor der Einladung").await;
    element.invite(&room, &bot).await;
    let joined = stream.next_of("room_joined").await;
    assert_eq!((&joined["room_id"], &joined["room"]["room_type"]), (&json!(room), &json!("custom")));
    assert_eq!(stream.next_of("new_message").await["event_id"], first.as_str());
    // From now on the bot hears what is said there, push or not.
    let second = element.say(&room, "und danach").await;
    assert_eq!(stream.next_of("new_message").await["event_id"], second.as_str());
    let name = stack.query("select name from rooms where matrix_room_id = $1", &room).await;
    assert_eq!(name.as_deref(), Some("Schicht 4"));
    let said = json!({ "room_id": room, "body": "von hier" });
    assert_eq!(anna.post("/api/v1/messages/send", &said).await.status, 200);
    assert_eq!(ids(&element.messages(&room).await).len(), 3);
}

#[tokio::test]
async fn a_bot_that_was_put_out_of_a_room_comes_back_unless_it_is_banned() {
    if is_skipped_on_conduit("it shows nobody what was said while they were out of a room") {
        return;
    }
    let stack = Stack::planned(Plan { gate: true, ..Plan::default() }).await;
    let client = stack.client();
    let anna = client.person("anna");
    anna.wait_until_provisioned().await;
    let element = stack.matrix("anna").await;
    let mut stream = anna.stream(None).await;
    let bot = format!("@messenger:{}", stack.server_name());
    let room = element.create_room(json!({ "preset": "private_chat", "name": "Schicht 5" })).await;
    element.invite(&room, &bot).await;
    assert_eq!(stream.next_of("room_joined").await["room_id"], room.as_str());
    // Only the bot can tell what is said from here on.
    stack.gate.as_ref().expect("a gate").close();
    for n in 0..3 {
        element.put_out(&room, &bot, "kick").await;
        let missed = element.say(&room, &format!("ohne {n}")).await;
        assert_eq!(stream.next_of("new_message").await["event_id"], missed.as_str());
        let heard = element.say(&room, &format!("wieder mit {n}")).await;
        assert_eq!(stream.next_of("new_message").await["event_id"], heard.as_str());
    }
    element.put_out(&room, &bot, "ban").await;
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    let told = |log: &str| log.lines().filter(|line| line.contains("nobody there can let it in")).count();
    while told(&stack.log("messenger-worker")) == 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // Elsewhere it hears as before, and it says so once.
    let general = element.rooms(2).await.into_iter().find(|other| *other != room).expect("a general room");
    let said = element.say(&general, "hier schon").await;
    assert_eq!(stream.next_of("new_message").await["event_id"], said.as_str());
    let log = stack.log("messenger-worker");
    assert_eq!(told(&log), 1, "{log}");
    assert!(
        log.lines().any(|line| line.contains("nobody there can let it in") && line.contains(&room)),
        "{log}"
    );
}
