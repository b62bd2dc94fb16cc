//! Rooms: found, joined, created, shared and left; for non-members they do not exist.

use std::time::Duration;

use futures::future::join_all;
use messenger_tests::{Client, Plan, Stack, TestUser, wait_until};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Encodes a room id as one segment of a path.
fn segment(id: &Value) -> String {
    let bytes: Vec<_> = id.as_str().expect("a room id").bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

async fn signed_in(client: &Client, ids: &[&str]) -> Vec<TestUser> {
    let users: Vec<_> = ids.iter().map(|id| client.user(id)).collect();
    for user in &users {
        assert_eq!(user.get("/api/v1/users/me").await.status, StatusCode::OK);
    }
    users
}

async fn rooms(user: &TestUser) -> Vec<Value> {
    let response = user.get("/api/v1/rooms").await;
    assert_eq!(response.status, StatusCode::OK, "{}", response.body);
    response.body["rooms"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn two_users_have_one_direct_chat_under_concurrent_requests() {
    let stack = Stack::start().await;
    let users = signed_in(&stack.client(), &["anna", "Bert_1"]).await;
    let (anna, bert) = (&users[0], &users[1]);
    let opened = join_all((0..40).map(|n| async move {
        if n % 2 == 0 {
            anna.post("/api/v1/rooms/dm/Bert_1", &json!({})).await
        } else {
            bert.post("/api/v1/rooms/dm/anna", &json!({})).await
        }
    }))
    .await;
    let id = opened[0].body["matrix_room_id"].clone();
    for (n, response) in opened.iter().enumerate() {
        assert_eq!(
            (response.status, &response.body["matrix_room_id"]),
            (StatusCode::OK, &id),
            "{}",
            response.body
        );
        let partner = if n % 2 == 0 { "Name von Bert_1" } else { "Name von anna" };
        assert_eq!(response.body["display_name"], partner);
        assert_eq!(response.body["room_type"], "dm");
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
async fn a_direct_chat_needs_another_user_of_the_tenant() {
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let anna = &signed_in(&client, &["anna", "bert"]).await[0];
    client.user_of_tenant("spion", 2).get("/api/v1/users/me").await;
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
    assert_eq!(rooms(anna).await, [] as [Value; 0], "the room list needs no homeserver");
}

#[tokio::test]
async fn a_room_is_created_with_all_invited_users_or_not_at_all() {
    let stack = Stack::start().await;
    let client = stack.client();
    let users = signed_in(&client, &["anna", "bert", "clara"]).await;
    let (anna, bert) = (&users[0], &users[1]);
    client.user_of_tenant("spion", 2).get("/api/v1/users/me").await;
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
    let created = anna.post("/api/v1/rooms", &body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.body);
    let id = created.body["matrix_room_id"].clone();
    assert_eq!(
        created.body,
        json!({
            "matrix_room_id": id, "display_name": "Umbau", "room_type": "custom", "topic": "Halle 3",
            "encrypted": false, "mention_count": 0, "muted": false, "read_event_id": null,
            "entity_type": null, "entity_id": null, "unread_count": 0, "last_message": null, "last_message_ts": null,
        })
    );
    let members = bert.get(&format!("/api/v1/rooms/{}/members", segment(&id))).await;
    assert_eq!(members.body.as_array().map(Vec::len), Some(3));
    assert!(rooms(bert).await.iter().any(|room| room["matrix_room_id"] == id));
    assert!(stack.matrix("clara").await.rooms(2).await.iter().any(|room| id == room.as_str()));
}

#[tokio::test]
async fn an_entity_room_is_found_joined_read_and_left() {
    let stack = Stack::start().await;
    let client = stack.client();
    let anna = &signed_in(&client, &["anna"]).await[0];
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
    let spy = client.user_of_tenant("spion", 2);
    assert_eq!(spy.get("/api/v1/rooms/directory").await.body, json!({ "rooms": [] }));
    let path = |action: &str| format!("/api/v1/rooms/{}/{action}", segment(&id));
    // A viewer may join and read it.
    let viewer = anna.with_claim("role", &json!("viewer"));
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
    assert_eq!(matrix.messages(id.as_str().expect("an id")).await.len(), 1, "she sees the earlier messages");
    assert_eq!(viewer.post(&path("leave"), &json!({})).await.status, StatusCode::NO_CONTENT);
    assert!(rooms(&viewer).await.iter().all(|room| room["matrix_room_id"] != id));
    assert_eq!(viewer.post(&path("leave"), &json!({})).await.status, StatusCode::NOT_FOUND);
    wait_until("she has left on the homeserver", async || {
        !matrix.rooms(1).await.iter().any(|room| id == room.as_str())
    })
    .await;
    assert_eq!(anna.post(&path("join"), &json!({})).await.status, StatusCode::OK, "she may join again");
    assert!(matrix.rooms(2).await.iter().any(|room| id == room.as_str()));
}

#[tokio::test]
async fn a_room_does_not_exist_for_non_members() {
    let stack = Stack::start().await;
    let client = stack.client();
    let users = signed_in(&client, &["anna", "bert", "clara"]).await;
    let private =
        users[0].post("/api/v1/rooms", &json!({ "name": "Geheim" })).await.body["matrix_room_id"].clone();
    let chat = users[0].post("/api/v1/rooms/dm/bert", &json!({})).await.body["matrix_room_id"].clone();
    let others = [users[2].clone(), client.user_of_tenant("spion", 2)];
    let invalid = [
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
    let ids = [&private, &chat].into_iter().cloned().chain(invalid.map(Value::from));
    for id in ids {
        for user in &others {
            for (method, action, body) in [
                (Method::POST, "join", json!({})),
                (Method::POST, "invite", json!({ "hub_user_id": "clara" })),
                (Method::GET, "members", json!({})),
                (Method::POST, "leave", json!({})),
                (Method::POST, "read", json!({})),
                (Method::POST, "typing", json!({ "typing": true })),
            ] {
                let path = format!("/api/v1/rooms/{}/{action}", segment(&id));
                let response = match method {
                    Method::GET => user.get(&path).await,
                    _ => user.post(&path, &body).await,
                };
                assert_eq!(
                    response.status,
                    StatusCode::NOT_FOUND,
                    "{} {action} {id}: {}",
                    user.id,
                    response.body
                );
            }
        }
    }
    for user in &others {
        assert!(!user.get("/api/v1/rooms").await.body.to_string().contains("Geheim"));
        assert!(!user.get("/api/v1/rooms/directory").await.body.to_string().contains("Geheim"));
    }
    // An invited user is a member at once.
    let path = |action: &str| format!("/api/v1/rooms/{}/{action}", segment(&private));
    let unknown = users[0].post(&path("invite"), &json!({ "hub_user_id": "spion" })).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(unknown.body["errors"][0]["pointer"], "/hub_user_id");
    let invited = users[0].post(&path("invite"), &json!({ "hub_user_id": "clara" })).await;
    assert_eq!(
        (invited.status, &invited.body["hub_user_id"]),
        (StatusCode::OK, &json!("clara")),
        "{}",
        invited.body
    );
    assert_eq!(users[2].get(&path("members")).await.body.as_array().map(Vec::len), Some(2));
    // A direct chat has two members and cannot be left; nor can the general room.
    let three = users[0]
        .post(&format!("/api/v1/rooms/{}/invite", segment(&chat)), &json!({ "hub_user_id": "clara" }))
        .await;
    assert_eq!((three.status, &three.body["code"]), (StatusCode::CONFLICT, &json!("room_is_direct")));
    users[0].wait_until_provisioned().await;
    for room in rooms(&users[0]).await.iter().filter(|room| room["room_type"] != "custom") {
        let left = users[0]
            .post(&format!("/api/v1/rooms/{}/leave", segment(&room["matrix_room_id"])), &json!({}))
            .await;
        assert_eq!((left.status, &left.body["code"]), (StatusCode::CONFLICT, &json!("room_cannot_be_left")));
    }
    // A viewer may create nothing.
    let viewer = users[2].with_claim("role", &json!("viewer"));
    for (path, body) in [
        ("/api/v1/rooms".to_owned(), json!({ "name": "x" })),
        ("/api/v1/rooms/dm/anna".to_owned(), json!({})),
        (path("invite"), json!({ "hub_user_id": "bert" })),
        (path("typing"), json!({ "typing": true })),
    ] {
        let response = viewer.post(&path, &body).await;
        assert_eq!(
            (response.status, &response.body["code"]),
            (StatusCode::FORBIDDEN, &json!("read_only_role"))
        );
    }
}

#[tokio::test]
async fn a_user_who_changes_tenant_leaves_the_rooms_of_the_old_one() {
    let stack = Stack::start().await;
    let client = stack.client();
    let users = signed_in(&client, &["anna", "bert"]).await;
    let created = users[0].post("/api/v1/rooms", &json!({ "name": "Umbau", "invite_users": ["bert"] })).await;
    let id = created.body["matrix_room_id"].clone();
    let mut old = users[1].stream(None).await;
    let matrix = stack.matrix("bert").await;
    assert_eq!(matrix.rooms(2).await.len(), 2);
    let moved = users[1].with_claim("tenant_id", &json!(2));
    let login = client.request(Method::POST, "/auth/hub-login").json(&json!({ "hub_token": moved.token }));
    let login = messenger_tests::client::fetch(login).await;
    assert_eq!(login.status, StatusCode::OK, "{}", login.body);
    assert!(old.next_of("room_left").await["room"]["matrix_room_id"].is_string());
    stack.matrix("anna").await.send_text(id.as_str().expect("an id"), "nur für uns").await;
    let events = old.within(Duration::from_secs(2)).await;
    assert!(events.iter().all(|event| event.kind() != "new_message"), "{events:?}");
    wait_until("he is in no room of the old tenant", async || {
        !matrix.rooms(1).await.iter().any(|room| id == room.as_str())
    })
    .await;
    let members = users[0].get(&format!("/api/v1/rooms/{}/members", segment(&id))).await;
    assert_eq!(members.body.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_hub_token_is_exchanged_for_a_service_token() {
    let stack = Stack::start_with(Plan { homeserver: false, worker: false, ..Plan::default() }).await;
    let client = stack.client();
    let hub_token = client.user("Müller").token;
    let login = |body: Value, query: &str| {
        let request = client.request(Method::POST, &format!("/auth/hub-login{query}"));
        messenger_tests::client::fetch(if body.is_null() { request } else { request.json(&body) })
    };
    let query = format!("?hub_token={hub_token}");
    for response in [
        login(json!({ "hub_token": hub_token }), "").await,
        login(json!({ "token": hub_token }), "").await,
        login(Value::Null, &query).await,
        login(json!({}), &query).await,
    ] {
        assert_eq!(response.status, StatusCode::OK, "{}", response.body);
        assert_eq!(
            (&response.body["token_type"], &response.body["display_name"]),
            (&json!("bearer"), &json!("Name von Müller"))
        );
        let id = format!("@_m=c3=bcller:{}", stack.server_name());
        assert_eq!(response.body["matrix_user_id"], id);
        let ours = response.body["access_token"].as_str().expect("a token");
        let me = client.request(Method::GET, "/api/v1/users/me").bearer_auth(ours);
        let me = messenger_tests::client::fetch(me).await;
        assert_eq!((me.status, &me.body["role"]), (StatusCode::OK, &json!("user")));
        let again = login(json!({ "hub_token": ours }), "").await;
        assert_eq!(again.status, StatusCode::UNAUTHORIZED, "only tokens of the Hub sign a user in");
    }
    assert_eq!(login(json!({}), "").await.body["code"], "token_missing");
    assert_eq!(login(json!({ "hub_token": "abc" }), "").await.body["code"], "token_invalid");
    assert_eq!(login(json!({ "hub_token": 7 }), "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_message_is_unread_until_it_is_read_on_one_device() {
    let stack = Stack::start().await;
    let client = stack.client();
    let users = signed_in(&client, &["anna", "bert"]).await;
    let (anna, bert) = (&users[0], &users[1]);
    let id = anna.post("/api/v1/rooms/dm/bert", &json!({})).await.body["matrix_room_id"].clone();
    for n in 1..=3 {
        let message = json!({ "room_id": id, "body": format!("Hallo {n}") });
        let sent = anna.post("/api/v1/messages/send", &message).await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.body);
    }
    let shown = async |user: &TestUser| {
        rooms(user).await.into_iter().find(|room| room["matrix_room_id"] == id).expect("the chat")
    };
    // Another process than the sending one lists the rooms: the messages reach it by push.
    wait_until("every message is unread", async || shown(bert).await["unread_count"] == 3).await;
    let chat = shown(bert).await;
    assert_eq!(chat["last_message"], "Hallo 3", "{chat}");
    assert!(chat["last_message_ts"].as_str().is_some_and(|at| at.ends_with('Z')), "{chat}");
    assert_eq!(shown(anna).await["unread_count"], 0, "a sender has read the room");
    assert_eq!(rooms(bert).await[0], chat, "the most recent activity first");
    let mut device = bert.stream(None).await;
    let read = bert.post(&format!("/api/v1/rooms/{}/read", segment(&id)), &json!({})).await;
    assert_eq!(read.status, StatusCode::NO_CONTENT);
    let unread = device.next_of("unread").await;
    assert_eq!((&unread["room_id"], &unread["unread_count"]), (&id, &json!(0)));
    assert_eq!(shown(bert).await["unread_count"], 0);
}
