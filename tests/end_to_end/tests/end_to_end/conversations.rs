//! Replies, mentions, edits, redactions and reactions: sent here, seen by other users and other Matrix clients.

use messenger_tests::{Stack, TestUser, client::fetch, encoded};
use reqwest::Method;
use serde_json::{Value, json};

/// Calls an endpoint about a message. Returns the body of a successful answer.
async fn change(user: &TestUser, method: Method, room: &str, event: &str, rest: &str, body: Value) -> Value {
    let path = format!("/api/v1/messages/{}/{}{rest}", encoded(room), encoded(event));
    let request = user.request(method, &path);
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = fetch(request).await;
    assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.body);
    answer.body
}

async fn newest(user: &TestUser, room: &str) -> Value {
    user.get(&format!("/api/v1/messages/history/{}", encoded(room))).await.body["messages"][0].clone()
}

fn id(value: &Value) -> String {
    value["event_id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_conversation_is_seen_alike_here_and_in_other_matrix_clients() {
    let stack = Stack::start().await;
    let [anna, bert] = stack.client().provisioned_users(["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let mut stream = bert.stream(None).await;
    let question = element.send_text(&room, "Wer kommt?").await;
    stream.next_of("new_message").await;

    let sent = json!({
        "room_id": room, "body": "**Ich**", "format": "markdown", "reply_to": question, "txn_id": "t1",
        "mentions": { "hub_user_ids": ["bert"] },
    });
    let sent = anna.post("/api/v1/messages/send", &sent).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let event = id(&sent.body);
    let live = stream.next_of("new_message").await;
    for field in ["event_id", "body", "formatted_body", "reply_to", "mentions", "txn_id", "timestamp"] {
        assert_eq!(live[field], sent.body[field], "{field}");
    }
    assert_eq!(live["mentions"], json!({ "hub_user_ids": ["bert"], "room": false }));
    assert_eq!(newest(&bert, &room).await, sent.body);

    change(&anna, Method::PATCH, &room, &event, "", json!({ "body": "Wir", "txn_id": "t1" })).await;
    change(&anna, Method::PATCH, &room, &event, "", json!({ "body": "Wir", "txn_id": "t1" })).await;
    let live = stream.next_of("message_edited").await;
    assert_eq!((&live["event_id"], &live["body"]), (&json!(event), &json!("Wir")));
    assert_eq!(live["reply_to"], question);
    let shown = newest(&bert, &room).await;
    assert_eq!((&shown["body"], &shown["edited"]), (&json!("Wir"), &json!(true)));
    assert_eq!(shown["reply_to"], question);
    let in_room = element.messages(&room).await;
    let edits = in_room.iter().filter(|event| event["content"]["m.relates_to"]["rel_type"] == "m.replace");
    let edits: Vec<_> = edits.collect();
    assert_eq!(edits.len(), 1, "a repeated `txn_id` edits once");
    assert_eq!(edits[0]["content"]["m.new_content"]["body"], "Wir");
    assert_eq!(edits[0]["content"]["m.relates_to"]["event_id"], event);
    assert_eq!(edits[0]["content"]["m.mentions"], json!({}));

    let thumb = change(&bert, Method::POST, &room, &event, "/reactions", json!({ "key": "👍" })).await;
    let again = change(&bert, Method::POST, &room, &event, "/reactions", json!({ "key": "👍" })).await;
    assert_eq!(thumb, again);
    let live = stream.next_of("reaction").await;
    assert_eq!((&live["event_id"], &live["key"]), (&json!(event), &json!("👍")));
    assert_eq!(live["reaction_event_id"], thumb["event_id"]);
    let relation = json!({ "rel_type": "m.annotation", "event_id": event, "key": "👍" });
    let by_element = stack.matrix("anna").await;
    by_element.send(&room, "m.reaction", json!({ "m.relates_to": relation })).await;
    stream.next_of("reaction").await;
    let both = json!([{ "key": "👍", "count": 2, "own_event": true }]);
    assert_eq!(newest(&bert, &room).await["reactions"], both);
    let key = encoded("👍");
    change(&bert, Method::DELETE, &room, &event, &format!("/reactions/{key}"), Value::Null).await;
    let live = stream.next_of("message_redacted").await;
    assert_eq!(live["event_id"], thumb["event_id"]);
    let left = json!([{ "key": "👍", "count": 1, "own_event": false }]);
    assert_eq!(newest(&bert, &room).await["reactions"], left);

    change(&anna, Method::DELETE, &room, &event, "?reason=Versehen", Value::Null).await;
    change(&anna, Method::DELETE, &room, &event, "", Value::Null).await;
    let live = stream.next_of("message_redacted").await;
    assert_eq!((&live["event_id"], &live["sender"]), (&json!(event), &sent.body["sender"]));
    assert_eq!(newest(&bert, &room).await["event_id"], question, "only the question is left");
    let in_room = element.messages(&room).await;
    let redacted = in_room.iter().find(|one| one["event_id"] == event);
    assert!(redacted.is_none_or(|one| one["content"]["body"].is_null()), "{redacted:?}");
}

#[tokio::test]
async fn an_administrator_redacts_what_somebody_else_wrote() {
    let stack = Stack::start().await;
    let client = stack.client();
    let [anna] = client.provisioned_users(["anna"]).await;
    let chief = client.user_with_role("chief", "admin", 1);
    chief.wait_until_provisioned().await;
    let room = stack.matrix("anna").await.rooms(1).await.remove(0);
    let sent = anna.post("/api/v1/messages/send", &json!({ "room_id": room, "body": "unpassend" })).await;
    change(&chief, Method::DELETE, &room, &id(&sent.body), "", Value::Null).await;
    assert_eq!(newest(&anna, &room).await, Value::Null);
}

#[tokio::test]
async fn a_mention_is_counted_until_it_is_read_and_a_mute_is_known_on_all_devices() {
    let stack = Stack::start().await;
    let [anna, bert] = stack.client().provisioned_users(["anna", "bert"]).await;
    let room = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": ["bert"] })).await.body;
    let room = room["matrix_room_id"].as_str().expect("an id").to_owned();
    let mut stream = bert.stream(None).await;
    let mut ids = Vec::new();
    for (n, mentions) in
        [(1, json!({})), (2, json!({ "hub_user_ids": ["bert"] })), (3, json!({ "room": true }))]
    {
        let message = json!({ "room_id": room, "body": n.to_string(), "mentions": mentions });
        ids.push(id(&anna.post("/api/v1/messages/send", &message).await.body));
        stream.next_of("new_message").await;
    }
    let seen = async || {
        let rooms = bert.get("/api/v1/rooms").await.body["rooms"].as_array().expect("rooms").clone();
        rooms.into_iter().find(|one| one["matrix_room_id"] == room).expect("the room")
    };
    assert_eq!((&seen().await["unread_count"], &seen().await["mention_count"]), (&json!(3), &json!(2)));
    // Another client of bert has read the second message.
    stack.matrix("bert").await.read(&room, &ids[1], "m.read").await;
    let unread = stream.next_of("unread").await;
    assert_eq!((&unread["unread_count"], &unread["mention_count"]), (&json!(1), &json!(1)));
    let now = seen().await;
    assert_eq!((&now["mention_count"], &now["read_event_id"]), (&json!(1), &json!(ids[1])));
    bert.post(&format!("/api/v1/rooms/{}/read", encoded(&room)), &json!({})).await;
    let now = seen().await;
    assert_eq!((&now["mention_count"], &now["read_event_id"]), (&json!(0), &json!(ids[2])));
    for (method, muted) in [(Method::PUT, true), (Method::DELETE, false)] {
        let answer = fetch(bert.request(method, &format!("/api/v1/rooms/{}/mute", encoded(&room)))).await;
        assert_eq!(answer.status, 204);
        assert_eq!(stream.next_of("room_muted").await["muted"], muted);
        assert_eq!(seen().await["muted"], muted);
    }
}

#[tokio::test]
async fn the_history_is_read_in_both_directions_around_a_message() {
    let stack = Stack::start().await;
    let [anna] = stack.client().provisioned_users(["anna"]).await;
    let room = anna.post("/api/v1/rooms", &json!({ "name": "Verlauf", "invite_users": [] })).await.body;
    let room = room["matrix_room_id"].as_str().expect("an id").to_owned();
    let mut ids = Vec::new();
    for n in 0..15 {
        let sent =
            anna.post("/api/v1/messages/send", &json!({ "room_id": room, "body": n.to_string() })).await;
        ids.push(id(&sent.body));
    }
    let page = async |query: &str| {
        let path = format!("/api/v1/messages/history/{}?{query}", encoded(&room));
        let page = anna.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.body
    };
    let of = |page: &Value| page["messages"].as_array().expect("messages").iter().map(id).collect::<Vec<_>>();
    let first = page(&format!("around={}&limit=5", encoded(&ids[7]))).await;
    let mut read = of(&first);
    assert!(read.contains(&ids[7]), "{read:?}");
    let mut newer = first["start_token"].clone();
    while let Some(token) = newer.as_str() {
        let page = page(&format!("direction=forward&limit=4&from_token={}", encoded(token))).await;
        read.splice(0..0, of(&page));
        newer = page["start_token"].clone();
    }
    let mut older = first["end_token"].clone();
    while let Some(token) = older.as_str() {
        let page = page(&format!("limit=4&from_token={}", encoded(token))).await;
        read.extend(of(&page));
        older = page["end_token"].clone();
    }
    read.reverse();
    assert_eq!(read, ids, "each once, and in order");
}
