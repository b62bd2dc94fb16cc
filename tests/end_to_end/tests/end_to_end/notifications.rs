//! Notifications reach their room and every connected user of the audience.

use std::time::Duration;

use futures::future::join_all;
use messenger_tests::Stack;
use reqwest::StatusCode;
use serde_json::{Value, json};

fn general(title: &str) -> Value {
    json!({ "source_app": "fertigungs-app", "event_type": "notification", "title": title, "body": "Fehlercode E-401" })
}

fn to_machine(id: i64, title: &str) -> Value {
    json!({
        "source_app": "fertigungs-app", "event_type": "entity_event", "title": title, "priority": "urgent",
        "target_type": "entity_room", "entity_type": "machine", "entity_id": id,
    })
}

#[tokio::test]
async fn a_notification_reaches_the_stream_and_the_room() {
    let stack = Stack::start().await;
    let client = stack.client();
    let mueller = client.user("mueller");
    mueller.wait_until_provisioned().await;
    let mut stream = mueller.stream(None).await;

    let response = client.notify(&general("Maschine <b>gestoppt</b>")).await;
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(response.body["status"], "sent", "{}", response.body);
    assert!(response.body["created_at"].as_str().is_some_and(|at| at.ends_with('Z')));
    let room = response.body["matrix_room_id"].as_str().expect("a room");

    let event = stream.next_of("notification").await;
    assert_eq!(event["title"], "Maschine <b>gestoppt</b>");
    assert_eq!(event["source_app"], "fertigungs-app");
    assert_eq!(event["priority"], "normal");
    assert_eq!(event["notification_id"], response.body["id"]);

    let matrix = stack.matrix("mueller").await;
    assert_eq!(matrix.rooms(1).await, [room]);
    let messages = matrix.messages(room).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["event_id"], response.body["matrix_event_id"]);
    let content = &messages[0]["content"];
    assert_eq!(content["body"], "[fertigungs-app] Maschine <b>gestoppt</b>\nFehlercode E-401");
    assert_eq!(
        content["formatted_body"],
        "<strong>[fertigungs-app] Maschine &lt;b&gt;gestoppt&lt;/b&gt;</strong><br>Fehlercode E-401"
    );
}

#[tokio::test]
async fn two_hundred_notifications_to_a_new_machine_create_one_room() {
    let stack = Stack::start().await;
    let client = stack.client();
    let responses = join_all((0..200).map(|n| {
        let client = client.clone();
        async move { client.notify(&to_machine(42, &format!("Meldung {n}"))).await }
    }))
    .await;
    assert!(responses.iter().all(|response| response.status == StatusCode::CREATED));
    let ids: Vec<_> = responses.iter().filter_map(|response| response.body["id"].as_i64()).collect();

    // The worker delivers those that exceeded their wait budget.
    let mut rooms = std::collections::BTreeSet::new();
    for id in &ids {
        loop {
            let one = client.get_as_satellite(&format!("/api/v1/notifications/{id}")).await.body;
            if one["status"] == "sent" {
                rooms.insert(one["matrix_room_id"].as_str().expect("a room").to_owned());
                break;
            }
            assert_eq!(one["status"], "pending");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert_eq!(rooms.len(), 1, "{rooms:?}");
    let bot = stack.matrix_bot().await;
    let mut in_room = bot.notifications(rooms.first().expect("a room")).await;
    in_room.sort_unstable();
    let mut ids = ids;
    ids.sort_unstable();
    assert_eq!(in_room, ids, "the room has each notification exactly once");
    assert_eq!(bot.rooms(1).await.len(), 1, "no incomplete room is left");
}

#[tokio::test]
async fn a_direct_message_reaches_its_recipient_and_no_other_user() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (mueller, schmidt) = (client.user("mueller"), client.user("schmidt"));
    let mut hers = mueller.stream(None).await;
    let mut his = schmidt.stream(None).await;
    let dm = json!({
        "source_app": "a", "event_type": "dm_notification", "title": "Freigabe", "target_type": "dm",
        "target_user": "mueller", "priority": "urgent",
    });
    let response = client.notify(&dm).await;
    assert_eq!(response.body["status"], "sent", "{}", response.body);
    assert_eq!(hers.next_of("notification").await["title"], "Freigabe");
    assert!(his.within(Duration::from_millis(500)).await.iter().all(|event| event.kind() != "notification"));

    let room = response.body["matrix_room_id"].as_str().expect("a room");
    let matrix = stack.matrix("mueller").await;
    let messages = matrix.messages(room).await;
    let me = format!("@mueller:{}", stack.server_name());
    assert_eq!(messages[0]["content"]["m.mentions"], json!({ "user_ids": [me] }));
    // The bot and the recipient.
    let members: Vec<_> = matrix
        .events(room)
        .await
        .into_iter()
        .filter(|event| event["type"] == "m.room.member" && event["content"]["membership"] == "join")
        .filter_map(|event| event["state_key"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(members.len(), 2, "{members:?}");
}

#[tokio::test]
async fn a_direct_message_to_an_unknown_user_waits_for_the_first_sign_in() {
    let stack = Stack::start().await;
    let client = stack.client();
    let dm = json!({
        "source_app": "a", "event_type": "e", "title": "Willkommen", "target_type": "dm", "target_user": "neu",
    });
    let response = client.notify(&dm).await;
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(response.body["status"], "pending");
    assert_eq!(response.body["reason"], "recipient_not_provisioned");
    assert!(response.body["expires_at"].is_string());
    let path = format!("/api/v1/notifications/{}", response.body["id"]);

    // A user of another tenant with the same id is another user.
    client.user_of_tenant("neu", 2).get("/api/v1/users/me").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(client.get_as_satellite(&path).await.body["status"], "pending");

    // Reads from position 0: the worker may be quicker than the first stream.
    let mut stream = client.user("neu").stream(Some("0")).await;
    assert_eq!(stream.next_of("notification").await["title"], "Willkommen");
    let sent = loop {
        let one = client.get_as_satellite(&path).await.body;
        if one["status"] == "sent" {
            break one;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let matrix = stack.matrix("neu").await;
    assert_eq!(matrix.notifications(sent["matrix_room_id"].as_str().expect("a room")).await.len(), 1);
}

#[tokio::test]
async fn each_app_has_its_own_service_room() {
    let stack = Stack::start().await;
    let client = stack.client();
    let send = |app: &str| {
        let body =
            json!({ "source_app": app, "event_type": "e", "title": "t", "target_type": "service_room" });
        let client = client.clone();
        async move { client.notify(&body).await.body["matrix_room_id"].as_str().map(str::to_owned) }
    };
    let (first, again, other) = (send("app-a").await, send("app-a").await, send("app-b").await);
    assert!(first.is_some());
    assert_eq!(first, again);
    assert_ne!(first, other);
    let log = client.get_as_satellite("/api/v1/notifications/log?source_app=app-a&limit=10").await.body;
    let apps: Vec<_> =
        log["notifications"].as_array().expect("a list").iter().map(|n| &n["source_app"]).collect();
    assert_eq!(apps, ["app-a", "app-a"]);
}

#[tokio::test]
async fn a_repeated_key_returns_the_first_notification() {
    let stack = Stack::start().await;
    let client = stack.client();
    let first = client.notify_with(&general("einmal"), "", Some("k-1")).await;
    let again = client.notify_with(&general("einmal"), "", Some("k-1")).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(first.body["id"], again.body["id"]);
    assert_eq!(first.body["matrix_event_id"], again.body["matrix_event_id"]);
    let other = client.notify_with(&general("anders"), "", Some("k-1")).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.body["code"], "idempotency_mismatch");
    let bot = stack.matrix_bot().await;
    let room = first.body["matrix_room_id"].as_str().expect("a room");
    assert_eq!(bot.notifications(room).await.len(), 1);
}
