//! Messages between other Matrix clients and the service arrive once and in order, over outages.

use std::time::Duration;

use messenger_tests::{
    Arrivals, Plan, Stack, StreamRecorder, encoded, is_skipped_on_conduit, is_skipped_on_deployment,
};
use serde_json::{Value, json};

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().filter_map(|event| event["event_id"].as_str().map(str::to_owned)).collect()
}

/// The number of messages that each of the two users sends in each phase.
const EACH: usize = 46;

#[tokio::test]
async fn every_message_arrives_once_and_in_order_over_outages() {
    if is_skipped_on_deployment("it breaks the push of the homeserver") {
        return;
    }
    let mut stack = Stack::start_with(Plan { push_proxy: true, ..Plan::default() }).await;
    let [anna, bert] = stack.client().provisioned_users(["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let (anna_events, bert_events) = (StreamRecorder::start(&anna).await, StreamRecorder::start(&bert).await);

    let arrivals = Arrivals::record(stack.matrix_bot().await, &room).await;
    let element = std::sync::Arc::new(element);
    let mut sent = 0;
    for phase in 0..6 {
        let proxy = stack.push_proxy.as_ref().expect("a push proxy");
        match phase {
            0 => {}
            // The homeserver cannot push.
            1 => proxy.block(),
            // Neither push nor a worker; a worker starts in the next phase.
            2 => stack.kill_worker(),
            3 => {
                stack.start_worker();
                stack.router().kill();
            }
            4 => {
                stack.kill_worker();
                stack.router().start_again().await.expect("a router");
            }
            _ => {
                proxy.forward();
                stack.start_worker();
            }
        }
        let (other, place) = (element.clone(), room.clone());
        let other_client = tokio::spawn(async move {
            for n in 0..EACH {
                other.send_text(&place, &format!("element {phase}.{n}")).await;
            }
        });
        sent += EACH;
        if phase != 3 {
            for n in 0..EACH {
                let body = json!({ "room_id": room, "body": format!("hub {phase}.{n}"), "txn_id": format!("{phase}.{n}") });
                let response = anna.post("/api/v1/messages/send", &body).await;
                assert_eq!(response.status, 200, "{}", response.body);
            }
            sent += EACH;
        }
        other_client.await.expect("sent");
    }
    let in_room = ids(&stack.matrix_bot().await.messages(&room).await);
    assert_eq!(in_room.len(), sent);
    for recorder in [&anna_events, &bert_events] {
        recorder
            .wait_until(|events| events.iter().filter(|event| event["type"] == "new_message").count() >= sent)
            .await;
    }
    // Gives the homeserver time for late pushes, which must not repeat events.
    tokio::time::sleep(Duration::from_secs(5)).await;
    for recorder in [&anna_events, &bert_events] {
        let recorded = ids(&recorder.events("new_message"));
        assert_eq!(arrivals.difference(&recorded, &in_room), None, "each once, in the room's order");
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
async fn edits_reactions_and_redactions_are_published_and_in_the_history() {
    let stack = Stack::start().await;
    let [anna, _] = stack.client().provisioned_users(["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let mut stream = anna.stream(None).await;
    let event = element.send_text(&room, "Tipfehler").await;
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
    // An edit by another user is neither published nor shown.
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
async fn a_room_of_another_client_is_adopted_with_its_members_and_messages() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (anna, bert, fritz) = (client.user("anna"), client.user("bert"), client.user_of_tenant("fritz", 2));
    for user in [&anna, &bert, &fritz] {
        user.wait_until_provisioned().await;
    }
    let element = stack.matrix("bert").await;
    let mut stream = anna.stream(None).await;
    let id = |name: &str| format!("@{name}:{}", stack.server_name());
    let room = element.create_room(json!({ "preset": "private_chat", "name": "Schicht 3" })).await;
    let first = element.send_text(&room, "noch allein").await;
    // A user of another tenant is a member, and does not see the room in the service.
    element.invite(&room, &id("fritz")).await;
    element.invite(&room, &id("anna")).await;
    let joined = loop {
        let joined = stream.next_of("room_joined").await;
        if joined["room_id"] == room.as_str() {
            break joined;
        }
    };
    assert_eq!(joined["room_id"], room.as_str());
    let second = element.send_text(&room, "und zusammen").await;
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
async fn a_direct_chat_of_another_client_is_adopted_and_an_encrypted_room_is_not() {
    let stack = Stack::start().await;
    let [anna, _] = stack.client().provisioned_users(["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let mut stream = anna.stream(None).await;
    let other = format!("@anna:{}", stack.server_name());
    let direct = json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [other] });
    let room = element.create_room(direct.clone()).await;
    assert_eq!(stream.next_of("room_joined").await["room_id"], room.as_str());
    let key = stack.query("select key from rooms where kind = 'dm' and matrix_room_id = $1", &room).await;
    assert_eq!(key.as_deref(), Some("anna/bert"));
    // A second direct chat of the two is adopted as a custom room.
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
async fn an_unknown_sync_token_is_discarded_and_no_message_is_lost_or_duplicated() {
    if is_skipped_on_deployment("it kills processes") {
        return;
    }
    let mut stack = Stack::start_with(Plan { push_proxy: true, ..Plan::default() }).await;
    let client = stack.client();
    let anna = client.user("anna");
    anna.wait_until_provisioned().await;
    let element = stack.matrix("anna").await;
    let room = element.rooms(1).await.remove(0);
    let recorder = StreamRecorder::start(&anna).await;
    for n in 0..60 {
        element.send_text(&room, &format!("before {n}")).await;
    }
    let has_messages = |count: usize| {
        move |events: &[Value]| events.iter().filter(|event| event["type"] == "new_message").count() >= count
    };
    recorder.wait_until(has_messages(60)).await;
    stack.push_proxy.as_ref().expect("a push proxy").block();
    stack.kill_worker();
    let forged = "update reconciliation set sync_token = $1, lease_until = now() returning sync_token";
    assert_eq!(stack.query(forged, "of another server").await.as_deref(), Some("of another server"));
    for n in 0..120 {
        element.send_text(&room, &format!("after {n}")).await;
    }
    stack.start_worker();
    recorder.wait_until(has_messages(180)).await;
    element.send_text(&room, "and on").await;
    recorder.wait_until(has_messages(181)).await;
    assert_eq!(ids(&recorder.events("new_message")), ids(&stack.matrix_bot().await.messages(&room).await));
    let log = stack.log("messenger-worker");
    let warnings = log.lines().filter(|line| line.contains("does not know the sync token"));
    assert_eq!(warnings.count(), 1, "{log}");
}

#[tokio::test]
async fn a_room_that_invites_only_the_bot_is_adopted_without_push() {
    if is_skipped_on_deployment("it breaks the push of the homeserver") {
        return;
    }
    let stack = Stack::start_with(Plan { push_proxy: true, ..Plan::default() }).await;
    let client = stack.client();
    let anna = client.user("anna");
    anna.wait_until_provisioned().await;
    let element = stack.matrix("anna").await;
    let mut stream = anna.stream(None).await;
    stack.push_proxy.as_ref().expect("a push proxy").block();
    let bot = format!("@messenger:{}", stack.server_name());
    let room = element.create_room(json!({ "preset": "private_chat", "name": "Schicht 4" })).await;
    let first = element.send_text(&room, "vor der Einladung").await;
    element.invite(&room, &bot).await;
    let joined = stream.next_of("room_joined").await;
    assert_eq!((&joined["room_id"], &joined["room"]["room_type"]), (&json!(room), &json!("custom")));
    assert_eq!(stream.next_of("new_message").await["event_id"], first.as_str());
    // From now on the bot reads the room, with or without push.
    let second = element.send_text(&room, "und danach").await;
    assert_eq!(stream.next_of("new_message").await["event_id"], second.as_str());
    let name = stack.query("select name from rooms where matrix_room_id = $1", &room).await;
    assert_eq!(name.as_deref(), Some("Schicht 4"));
    let message = json!({ "room_id": room, "body": "von hier" });
    assert_eq!(anna.post("/api/v1/messages/send", &message).await.status, 200);
    assert_eq!(ids(&element.messages(&room).await).len(), 3);
}

#[tokio::test]
async fn a_kicked_bot_rejoins_unless_it_is_banned() {
    if is_skipped_on_deployment("it breaks the push of the homeserver") {
        return;
    }
    if is_skipped_on_conduit("it hides the messages from before a rejoin") {
        return;
    }
    let stack = Stack::start_with(Plan { push_proxy: true, ..Plan::default() }).await;
    let client = stack.client();
    let anna = client.user("anna");
    anna.wait_until_provisioned().await;
    let element = stack.matrix("anna").await;
    let mut stream = anna.stream(None).await;
    let bot = format!("@messenger:{}", stack.server_name());
    let room = element.create_room(json!({ "preset": "private_chat", "name": "Schicht 5" })).await;
    element.invite(&room, &bot).await;
    assert_eq!(stream.next_of("room_joined").await["room_id"], room.as_str());
    // Without push, messages arrive only through the bot's membership.
    stack.push_proxy.as_ref().expect("a push proxy").block();
    for n in 0..3 {
        element.remove_member(&room, &bot, "kick").await;
        let missed = element.send_text(&room, &format!("ohne {n}")).await;
        assert_eq!(stream.next_of("new_message").await["event_id"], missed.as_str());
        let next = element.send_text(&room, &format!("wieder mit {n}")).await;
        assert_eq!(stream.next_of("new_message").await["event_id"], next.as_str());
    }
    element.remove_member(&room, &bot, "ban").await;
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    let warnings =
        |log: &str| log.lines().filter(|line| line.contains("no member can invite it again")).count();
    while warnings(&stack.log("messenger-worker")) == 0 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The bot reads other rooms as before, and warns once.
    let general = element.rooms(2).await.into_iter().find(|other| *other != room).expect("a general room");
    let message = element.send_text(&general, "hier schon").await;
    assert_eq!(stream.next_of("new_message").await["event_id"], message.as_str());
    let log = stack.log("messenger-worker");
    assert_eq!(warnings(&log), 1, "{log}");
    assert!(
        log.lines().any(|line| line.contains("no member can invite it again") && line.contains(&room)),
        "{log}"
    );
}
