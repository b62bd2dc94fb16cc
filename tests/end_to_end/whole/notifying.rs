//! A notification reaches its room and every connected user.

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
async fn a_notification_is_sent_heard_and_read() {
    let stack = Stack::start().await;
    let client = stack.client();
    let mueller = client.person("mueller");
    mueller.wait_until_provisioned().await;
    let mut stream = mueller.stream(None).await;

    let answer = client.notify(&general("Maschine <b>gestoppt</b>")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.body["status"], "sent", "{}", answer.body);
    assert!(answer.body["created_at"].as_str().is_some_and(|at| at.ends_with('Z')));
    let room = answer.body["matrix_room_id"].as_str().expect("a room");

    let heard = stream.next_of("notification").await;
    assert_eq!(heard["title"], "Maschine <b>gestoppt</b>");
    assert_eq!(heard["source_app"], "fertigungs-app");
    assert_eq!(heard["priority"], "normal");
    assert_eq!(heard["notification_id"], answer.body["id"]);

    let matrix = stack.matrix("mueller").await;
    assert_eq!(matrix.rooms(1).await, [room]);
    let messages = matrix.messages(room).await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["event_id"], answer.body["matrix_event_id"]);
    let content = &messages[0]["content"];
    assert_eq!(content["body"], "[fertigungs-app] Maschine <b>gestoppt</b>\nFehlercode E-401");
    assert_eq!(
        content["formatted_body"],
        "<strong>[fertigungs-app] Maschine &lt;b&gt;gestoppt&lt;/b&gt;</strong><br>Fehlercode E-401"
    );
}

#[tokio::test]
async fn two_hundred_notifications_to_a_new_machine_make_one_room() {
    let stack = Stack::start().await;
    let client = stack.client();
    let answers = join_all((0..200).map(|n| {
        let client = client.clone();
        async move { client.notify(&to_machine(42, &format!("Meldung {n}"))).await }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED));
    let ids: Vec<_> = answers.iter().filter_map(|answer| answer.body["id"].as_i64()).collect();

    // What did not get through within its wait budget is delivered in the background.
    let mut rooms = std::collections::BTreeSet::new();
    for id in &ids {
        loop {
            let one = client.ask(&format!("/api/v1/notifications/{id}")).await.body;
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
    assert_eq!(in_room, ids, "each is in the room exactly once");
    assert_eq!(bot.rooms(1).await.len(), 1, "no half-made room is left behind");
}

#[tokio::test]
async fn a_direct_message_reaches_its_recipient_and_nobody_else() {
    let stack = Stack::start().await;
    let client = stack.client();
    let (mueller, schmidt) = (client.person("mueller"), client.person("schmidt"));
    let mut hers = mueller.stream(None).await;
    let mut his = schmidt.stream(None).await;
    let dm = json!({
        "source_app": "a", "event_type": "dm_notification", "title": "Freigabe", "target_type": "dm",
        "target_user": "mueller", "priority": "urgent",
    });
    let answer = client.notify(&dm).await;
    assert_eq!(answer.body["status"], "sent", "{}", answer.body);
    assert_eq!(hers.next_of("notification").await["title"], "Freigabe");
    assert!(his.within(Duration::from_millis(500)).await.iter().all(|event| event.kind() != "notification"));

    let room = answer.body["matrix_room_id"].as_str().expect("a room");
    let matrix = stack.matrix("mueller").await;
    let messages = matrix.messages(room).await;
    let me = format!("@mueller:{}", stack.server_name());
    assert_eq!(messages[0]["content"]["m.mentions"], json!({ "user_ids": [me] }));
    // The bot, the recipient, and nobody else.
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
async fn a_direct_message_to_somebody_unknown_waits_for_their_first_login() {
    let stack = Stack::start().await;
    let client = stack.client();
    let dm = json!({
        "source_app": "a", "event_type": "e", "title": "Willkommen", "target_type": "dm", "target_user": "neu",
    });
    let answer = client.notify(&dm).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.body["status"], "pending");
    assert_eq!(answer.body["reason"], "recipient_not_provisioned");
    assert!(answer.body["expires_at"].is_string());
    let path = format!("/api/v1/notifications/{}", answer.body["id"]);

    // The same name in another factory is another person.
    client.person_of("neu", 2).get("/api/v1/users/me").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(client.ask(&path).await.body["status"], "pending");

    // From the beginning: the worker may be quicker than the stream that their first request opens.
    let mut stream = client.person("neu").stream(Some("0")).await;
    assert_eq!(stream.next_of("notification").await["title"], "Willkommen");
    let sent = loop {
        let one = client.ask(&path).await.body;
        if one["status"] == "sent" {
            break one;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let matrix = stack.matrix("neu").await;
    assert_eq!(matrix.notifications(sent["matrix_room_id"].as_str().expect("a room")).await.len(), 1);
}

#[tokio::test]
async fn the_room_of_an_app_is_its_own() {
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
    let log = client.ask("/api/v1/notifications/log?source_app=app-a&limit=10").await.body;
    let apps: Vec<_> =
        log["notifications"].as_array().expect("a list").iter().map(|n| &n["source_app"]).collect();
    assert_eq!(apps, ["app-a", "app-a"]);
}

#[tokio::test]
async fn a_retried_call_is_the_same_call() {
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
