//! Rooms: found, opened, made, shared and left; and for everybody else they do not exist.

use std::time::Duration;

use futures::future::join_all;
use messenger_tests::{Client, Plan, Stack, TestUser};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_mins(1);

/// A room id as one segment of a path.
fn segment(id: &Value) -> String {
    let bytes: Vec<_> = id.as_str().expect("a room id").bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

async fn known(client: &Client, ids: &[&str]) -> Vec<TestUser> {
    let people: Vec<_> = ids.iter().map(|id| client.person(id)).collect();
    for person in &people {
        assert_eq!(person.get("/api/v1/users/me").await.status, StatusCode::OK);
    }
    people
}

async fn rooms(person: &TestUser) -> Vec<Value> {
    let answer = person.get("/api/v1/rooms").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["rooms"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_pair_has_one_chat_however_many_open_it_at_once() {
    let stack = Stack::start().await;
    let people = known(&stack.client(), &["anna", "Bert_1"]).await;
    let (anna, bert) = (&people[0], &people[1]);
    let opened = join_all((0..40).map(|n| async move {
        if n % 2 == 0 {
            anna.post("/api/v1/rooms/dm/Bert_1", &json!({})).await
        } else {
            bert.post("/api/v1/rooms/dm/anna", &json!({})).await
        }
    }))
    .await;
    let id = opened[0].body["matrix_room_id"].clone();
    for (n, answer) in opened.iter().enumerate() {
        assert_eq!((answer.status, &answer.body["matrix_room_id"]), (StatusCode::OK, &id), "{}", answer.body);
        let partner = if n % 2 == 0 { "Name von Bert_1" } else { "Name von anna" };
        assert_eq!(answer.body["display_name"], partner);
        assert_eq!(answer.body["room_type"], "dm");
    }
    for (localpart, partner) in [("anna", "_bert__1"), ("_bert__1", "anna")] {
        let matrix = stack.matrix(localpart).await;
        assert_eq!(matrix.rooms(2).await.len(), 2, "the general room and the chat");
        let user = |localpart: &str| format!("@{localpart}:{}", stack.server_name());
        let direct = matrix.account_data(&user(localpart), "m.direct").await;
        assert_eq!(direct[user(partner)], json!([id]), "{direct}");
    }
    let members = anna.get(&format!("/api/v1/rooms/{}/members", segment(&id))).await;
    let server = stack.server_name();
    assert_eq!(
        members.body,
        json!([
            { "matrix_user_id": format!("@anna:{server}"), "hub_user_id": "anna", "display_name": "Name von anna" },
            { "matrix_user_id": format!("@_bert__1:{server}"), "hub_user_id": "Bert_1", "display_name": "Name von Bert_1" },
        ])
    );
    let mut stream = bert.stream(Some("0")).await;
    loop {
        let joined = stream.next_of("room_joined").await;
        if joined["room_id"] == id {
            assert_eq!(joined["room"]["display_name"], "Name von anna");
            assert_eq!(joined["room"]["room_type"], "dm");
            break;
        }
    }
}

#[tokio::test]
async fn a_chat_needs_somebody_else_of_the_tenant() {
    let stack = Stack::planned(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let anna = &known(&client, &["anna", "bert"]).await[0];
    client.person_of("spion", 2).get("/api/v1/users/me").await;
    let status = async |path: &str| anna.post(path, &json!({})).await.status;
    assert_eq!(status("/api/v1/rooms/dm/spion").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/api/v1/rooms/dm/nobody").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/api/v1/rooms/dm/%20").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/api/v1/rooms/dm/anna").await, StatusCode::UNPROCESSABLE_ENTITY);
    let away = anna.post("/api/v1/rooms/dm/bert", &json!({})).await;
    assert_eq!(
        (away.status, &away.body["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("homeserver_unavailable"))
    );
    assert!(away.headers.contains_key("retry-after"));
    assert_eq!(rooms(anna).await, [] as [Value; 0], "the list needs no homeserver");
}

#[tokio::test]
async fn a_room_is_made_with_everybody_in_it_or_not_at_all() {
    let stack = Stack::start().await;
    let client = stack.client();
    let people = known(&client, &["anna", "bert", "clara"]).await;
    let (anna, bert) = (&people[0], &people[1]);
    client.person_of("spion", 2).get("/api/v1/users/me").await;
    let foreign = format!("@spion:{}", stack.server_name());
    let wanted = ["bert", "nobody", "spion", &foreign, "@bert:elsewhere.org", "@nobody:x"];
    let refused = anna.post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": wanted })).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("unknown_user"))
    );
    let named: Vec<_> =
        refused.body["errors"].as_array().expect("a list").iter().map(|one| &one["pointer"]).collect();
    assert_eq!(
        named,
        ["/invite_users/1", "/invite_users/2", "/invite_users/3", "/invite_users/4", "/invite_users/5"]
    );
    assert!(rooms(bert).await.iter().all(|room| room["room_type"] == "general"));
    let wrong =
        anna.post("/api/v1/rooms", &json!({ "name": " ", "topic": 7, "invite_users": [1, "anna"] })).await;
    let named: Vec<_> =
        wrong.body["errors"].as_array().expect("a list").iter().map(|one| &one["pointer"]).collect();
    assert_eq!(named, ["/name", "/topic", "/invite_users/0"]);

    let clara = format!("@clara:{}", stack.server_name());
    let body =
        json!({ "name": "Umbau", "topic": "Halle 3", "invite_users": ["bert", clara, "anna", "clara"] });
    let made = anna.post("/api/v1/rooms", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["matrix_room_id"].clone();
    assert_eq!(
        made.body,
        json!({
            "matrix_room_id": id, "display_name": "Umbau", "room_type": "custom", "topic": "Halle 3",
            "encrypted": false,
            "entity_type": null, "entity_id": null, "unread_count": 0, "last_message": null, "last_message_ts": null,
        })
    );
    let members = bert.get(&format!("/api/v1/rooms/{}/members", segment(&id))).await;
    assert_eq!(members.body.as_array().map(Vec::len), Some(3));
    assert!(rooms(bert).await.iter().any(|room| room["matrix_room_id"] == id));
    assert!(stack.matrix("clara").await.rooms(2).await.iter().any(|room| id == room.as_str()));
}

#[tokio::test]
async fn a_room_of_an_entity_is_found_opened_read_and_left() {
    let stack = Stack::start().await;
    let client = stack.client();
    let anna = &known(&client, &["anna"]).await[0];
    let notification = json!({
        "source_app": "inventory", "event_type": "e", "title": "t", "target_type": "entity_room",
        "entity_type": "machine", "entity_id": 42,
    });
    assert_eq!(client.notify(&notification).await.body["status"], "sent");
    let listed = anna.get("/api/v1/rooms/directory?q=MACHINE&entity_type=machine").await.body;
    let id = listed["rooms"][0]["matrix_room_id"].clone();
    assert_eq!(
        (
            &listed["rooms"][0]["display_name"],
            &listed["rooms"][0]["entity_id"],
            &listed["rooms"][0]["joined"]
        ),
        (&json!("machine 42"), &json!(42), &json!(false))
    );
    let spy = client.person_of("spion", 2);
    assert_eq!(spy.get("/api/v1/rooms/directory").await.body, json!({ "rooms": [] }));
    let path = |what: &str| format!("/api/v1/rooms/{}/{what}", segment(&id));
    // A viewer may open and read it.
    let viewer = anna.claiming("role", &json!("viewer"));
    let joined = viewer.post(&path("join"), &json!({})).await;
    assert_eq!(
        (joined.status, &joined.body["entity_type"]),
        (StatusCode::OK, &json!("machine")),
        "{}",
        joined.body
    );
    assert_eq!(viewer.post(&path("join"), &json!({})).await.status, StatusCode::OK);
    assert_eq!(viewer.post(&path("read"), &json!({})).await.status, StatusCode::NO_CONTENT);
    let matrix = stack.matrix("anna").await;
    assert_eq!(matrix.messages(id.as_str().expect("an id")).await.len(), 1, "she sees what was said before");
    assert_eq!(viewer.post(&path("leave"), &json!({})).await.status, StatusCode::NO_CONTENT);
    assert!(rooms(&viewer).await.iter().all(|room| room["matrix_room_id"] != id));
    assert_eq!(viewer.post(&path("leave"), &json!({})).await.status, StatusCode::NOT_FOUND);
    until("she has left on the homeserver", async || {
        !matrix.rooms(1).await.iter().any(|room| id == room.as_str())
    })
    .await;
    assert_eq!(anna.post(&path("join"), &json!({})).await.status, StatusCode::OK, "she may come back");
    assert!(matrix.rooms(2).await.iter().any(|room| id == room.as_str()));
}

#[tokio::test]
async fn a_room_does_not_exist_for_those_who_are_not_in_it() {
    let stack = Stack::start().await;
    let client = stack.client();
    let people = known(&client, &["anna", "bert", "clara"]).await;
    let private =
        people[0].post("/api/v1/rooms", &json!({ "name": "Geheim" })).await.body["matrix_room_id"].clone();
    let chat = people[0].post("/api/v1/rooms/dm/bert", &json!({})).await.body["matrix_room_id"].clone();
    let others = [people[2].clone(), client.person_of("spion", 2)];
    let strange = [
        "!a/../b:x",
        "!a?b#c:x",
        "!a%2Fb:x",
        "!noserver",
        "..",
        "#alias:x",
        "@user:x",
        "!ü:x",
        "!a\0b",
        "!a\nb",
    ];
    let ids = [&private, &chat].into_iter().cloned().chain(strange.map(Value::from));
    for id in ids {
        for person in &others {
            for (method, what, body) in [
                (Method::POST, "join", json!({})),
                (Method::POST, "invite", json!({ "hub_user_id": "clara" })),
                (Method::GET, "members", json!({})),
                (Method::POST, "leave", json!({})),
                (Method::POST, "read", json!({})),
                (Method::POST, "typing", json!({ "typing": true })),
            ] {
                let path = format!("/api/v1/rooms/{}/{what}", segment(&id));
                let answer = match method {
                    Method::GET => person.get(&path).await,
                    _ => person.post(&path, &body).await,
                };
                assert_eq!(
                    answer.status,
                    StatusCode::NOT_FOUND,
                    "{} {what} {id}: {}",
                    person.id,
                    answer.body
                );
            }
        }
    }
    for person in &others {
        assert!(!person.get("/api/v1/rooms").await.body.to_string().contains("Geheim"));
        assert!(!person.get("/api/v1/rooms/directory").await.body.to_string().contains("Geheim"));
    }
    // Who is invited is in at once.
    let path = |what: &str| format!("/api/v1/rooms/{}/{what}", segment(&private));
    let unknown = people[0].post(&path("invite"), &json!({ "hub_user_id": "spion" })).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(unknown.body["errors"][0]["pointer"], "/hub_user_id");
    let invited = people[0].post(&path("invite"), &json!({ "hub_user_id": "clara" })).await;
    assert_eq!(
        (invited.status, &invited.body["hub_user_id"]),
        (StatusCode::OK, &json!("clara")),
        "{}",
        invited.body
    );
    assert_eq!(people[2].get(&path("members")).await.body.as_array().map(Vec::len), Some(2));
    // A chat stays between two, and cannot be left; nor can the room of everybody.
    let three = people[0]
        .post(&format!("/api/v1/rooms/{}/invite", segment(&chat)), &json!({ "hub_user_id": "clara" }))
        .await;
    assert_eq!((three.status, &three.body["code"]), (StatusCode::CONFLICT, &json!("room_is_direct")));
    people[0].wait_until_provisioned().await;
    for room in rooms(&people[0]).await.iter().filter(|room| room["room_type"] != "custom") {
        let left = people[0]
            .post(&format!("/api/v1/rooms/{}/leave", segment(&room["matrix_room_id"])), &json!({}))
            .await;
        assert_eq!((left.status, &left.body["code"]), (StatusCode::CONFLICT, &json!("room_cannot_be_left")));
    }
    // A viewer makes nothing.
    let viewer = people[2].claiming("role", &json!("viewer"));
    for (path, body) in [
        ("/api/v1/rooms".to_owned(), json!({ "name": "x" })),
        ("/api/v1/rooms/dm/anna".to_owned(), json!({})),
        (path("invite"), json!({ "hub_user_id": "bert" })),
        (path("typing"), json!({ "typing": true })),
    ] {
        let answer = viewer.post(&path, &body).await;
        assert_eq!((answer.status, &answer.body["code"]), (StatusCode::FORBIDDEN, &json!("read_only_role")));
    }
}

#[tokio::test]
async fn who_changes_tenant_leaves_the_old_ones_rooms() {
    let stack = Stack::start().await;
    let client = stack.client();
    let people = known(&client, &["anna", "bert"]).await;
    let made = people[0].post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": ["bert"] })).await;
    let id = made.body["matrix_room_id"].clone();
    let mut old = people[1].stream(None).await;
    let matrix = stack.matrix("bert").await;
    assert_eq!(matrix.rooms(2).await.len(), 2);
    let moved = people[1].claiming("tenant_id", &json!(2));
    let login = client.request(Method::POST, "/auth/hub-login").json(&json!({ "hub_token": moved.token }));
    let login = messenger_tests::client::answer(login).await;
    assert_eq!(login.status, StatusCode::OK, "{}", login.body);
    assert!(old.next_of("room_left").await["room"]["matrix_room_id"].is_string());
    stack.matrix("anna").await.say(id.as_str().expect("an id"), "nur für uns").await;
    let heard = old.within(Duration::from_secs(2)).await;
    assert!(heard.iter().all(|event| event.kind() != "new_message"), "{heard:?}");
    until("he is in no room of the old tenant", async || {
        !matrix.rooms(1).await.iter().any(|room| id == room.as_str())
    })
    .await;
    let members = people[0].get(&format!("/api/v1/rooms/{}/members", segment(&id))).await;
    assert_eq!(members.body.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_hub_token_becomes_one_of_ours() {
    let stack = Stack::planned(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let hub_token = client.person("Müller").token;
    let login = |body: Value, query: &str| {
        let request = client.request(Method::POST, &format!("/auth/hub-login{query}"));
        messenger_tests::client::answer(if body.is_null() { request } else { request.json(&body) })
    };
    let query = format!("?hub_token={hub_token}");
    for answer in [
        login(json!({ "hub_token": hub_token }), "").await,
        login(json!({ "token": hub_token }), "").await,
        login(Value::Null, &query).await,
        login(json!({}), &query).await,
    ] {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(
            (&answer.body["token_type"], &answer.body["display_name"]),
            (&json!("bearer"), &json!("Name von Müller"))
        );
        let id = format!("@_m=c3=bcller:{}", stack.server_name());
        assert_eq!(answer.body["matrix_user_id"], id);
        let ours = answer.body["access_token"].as_str().expect("a token");
        let me = client.request(Method::GET, "/api/v1/users/me").bearer_auth(ours);
        let me = messenger_tests::client::answer(me).await;
        assert_eq!((me.status, &me.body["role"]), (StatusCode::OK, &json!("user")));
        let again = login(json!({ "hub_token": ours }), "").await;
        assert_eq!(again.status, StatusCode::UNAUTHORIZED, "only the Hub's tokens sign in");
    }
    assert_eq!(login(json!({}), "").await.body["code"], "token_missing");
    assert_eq!(login(json!({ "hub_token": "abc" }), "").await.body["code"], "token_invalid");
    assert_eq!(login(json!({ "hub_token": 7 }), "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_is_said_is_unread_until_it_is_read_on_one_device() {
    let stack = Stack::start().await;
    let client = stack.client();
    let people = known(&client, &["anna", "bert"]).await;
    let (anna, bert) = (&people[0], &people[1]);
    let id = anna.post("/api/v1/rooms/dm/bert", &json!({})).await.body["matrix_room_id"].clone();
    for n in 1..=3 {
        let said = json!({ "room_id": id, "body": format!("Hallo {n}") });
        let sent = anna.post("/api/v1/messages/send", &said).await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.body);
    }
    let shown = async |person: &TestUser| {
        rooms(person).await.into_iter().find(|room| room["matrix_room_id"] == id).expect("the chat")
    };
    // Rooms are listed by another process than the one that sent: the messages reach it by push.
    until("every message is unread", async || shown(bert).await["unread_count"] == 3).await;
    let seen = shown(bert).await;
    assert_eq!(seen["last_message"], "Hallo 3", "{seen}");
    assert!(seen["last_message_ts"].as_str().is_some_and(|at| at.ends_with('Z')), "{seen}");
    assert_eq!(shown(anna).await["unread_count"], 0, "who writes has read");
    assert_eq!(rooms(bert).await[0], seen, "the most recent activity first");
    let mut elsewhere = bert.stream(None).await;
    let read = bert.post(&format!("/api/v1/rooms/{}/read", segment(&id)), &json!({})).await;
    assert_eq!(read.status, StatusCode::NO_CONTENT);
    let told = elsewhere.next_of("unread").await;
    assert_eq!((&told["room_id"], &told["unread_count"]), (&id, &json!(0)));
    assert_eq!(shown(bert).await["unread_count"], 0);
}

/// Waits until something is true.
async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !is().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
