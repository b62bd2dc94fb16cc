//! `GET /messages/history/{room_id}`.

use axum::http::{Method, Request};
use messenger_core::id::MatrixUserId;
use serde_json::{Value, json};

use crate::{TestApp, by, segment, token_of, wrong};

#[tokio::test]
async fn a_page_has_messages_and_files_newest_first() {
    let app = TestApp::new().await;
    app.send("bert", &json!({ "body": "Guten Morgen", "msg_type": "m.notice" })).await;
    let room = app.room.to_string();
    app.upload(&[
        ("name=\"room_id\"", room.as_bytes()),
        ("name=\"file\"; filename=\"plan.txt\"", b"Plan".as_slice()),
    ])
    .await;
    insta::assert_json_snapshot!(app.history("anna", "").await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "end_token": null,
        "has_more": false,
        "messages": [
          {
            "body": "plan.txt",
            "edited": false,
            "event_id": "$event2",
            "file_size": 4,
            "file_url": "mxc://hub.local/file1",
            "filename": "plan.txt",
            "formatted_body": null,
            "media_path": "/api/v1/messages/media/hub.local/file1",
            "mentions": {
              "hub_user_ids": [],
              "room": false
            },
            "mimetype": "text/plain",
            "msg_type": "m.file",
            "reactions": [],
            "reply_to": null,
            "room_id": "!room1",
            "sender": "@anna:hub.local",
            "sender_display_name": "Name von anna",
            "timestamp": "2026-01-01T06:00:00.000000Z"
          },
          {
            "body": "Guten Morgen",
            "edited": false,
            "event_id": "$event1",
            "formatted_body": null,
            "mentions": {
              "hub_user_ids": [],
              "room": false
            },
            "msg_type": "m.notice",
            "reactions": [],
            "reply_to": null,
            "room_id": "!room1",
            "sender": "@bert:hub.local",
            "sender_display_name": "Name von bert",
            "timestamp": "2026-01-01T06:00:00.000000Z"
          }
        ],
        "start_token": null
      }
    }
    "#);
}

#[tokio::test]
async fn an_empty_room_has_an_empty_page() {
    let app = TestApp::new().await;
    let empty = json!({ "messages": [], "end_token": null, "start_token": null, "has_more": false });
    assert_eq!(app.history("anna", "").await.body, empty);
    // Nor do events that are no messages make one.
    let bert = MatrixUserId::new("@bert:hub.local");
    for _ in 0..120 {
        app.messenger.homeserver.send_event(&app.room, &bert, "com.example.noise", json!({}));
    }
    assert_eq!(app.history("anna", "").await.body, empty);
}

#[tokio::test]
async fn pages_of_any_size_join_without_gap_or_repetition() {
    let app = TestApp::new().await;
    for n in 0..7 {
        app.send("anna", &json!({ "body": n.to_string() })).await;
    }
    for limit in [1, 2, 3, 7, 200] {
        let (mut read, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let page = app.history("anna", &query).await.body;
            let messages = page["messages"].as_array().expect("messages");
            assert!(messages.len() <= limit);
            read.extend(messages.iter().map(|message| message["body"].as_str().expect("a body").to_owned()));
            assert_eq!(page["has_more"], json!(!page["end_token"].is_null()), "both agree");
            let Some(token) = page["end_token"].as_str() else { break };
            query = format!("?limit={limit}&from_token={}", segment(token));
        }
        assert_eq!(read, ["6", "5", "4", "3", "2", "1", "0"], "{limit} at a time");
    }
}

#[tokio::test]
async fn pages_in_both_directions_join_around_a_message() {
    let app = TestApp::new().await;
    let mut ids = Vec::new();
    for n in 0..9 {
        ids.push(app.send("anna", &json!({ "body": n.to_string() })).await.body["event_id"].clone());
        app.happens("m.reaction", json!({ "m.relates_to": { "event_id": ids[n], "key": "x" } })).await;
    }
    let bodies = |page: &Value| {
        let messages = page["messages"].as_array().expect("messages").clone();
        messages
            .iter()
            .map(|message| message["body"].as_str().expect("a body").to_owned())
            .collect::<Vec<_>>()
    };
    let around = |id: &Value| segment(id.as_str().expect("an id"));
    let page = app.history("anna", &format!("?around={}&limit=3", around(&ids[4]))).await.body;
    assert_eq!(bodies(&page), ["5", "4", "3"]);
    assert_eq!(page["messages"][1]["reactions"], json!([{ "key": "x", "count": 1, "own_event": false }]));
    let (mut newer, mut older) = (page["start_token"].clone(), page["end_token"].clone());
    let (mut read_newer, mut read_older) = (Vec::new(), Vec::new());
    while let Some(token) = newer.as_str() {
        let query = format!("?limit=2&direction=forward&from_token={}", segment(token));
        let page = app.history("anna", &query).await.body;
        assert_eq!(page["end_token"], Value::Null);
        assert_eq!(page["has_more"], json!(!page["start_token"].is_null()));
        read_newer.splice(0..0, bodies(&page));
        newer = page["start_token"].clone();
    }
    while let Some(token) = older.as_str() {
        let page = app.history("anna", &format!("?limit=2&from_token={}", segment(token))).await.body;
        assert_eq!(page["start_token"], Value::Null);
        read_older.extend(bodies(&page));
        older = page["end_token"].clone();
    }
    assert_eq!(read_newer, ["8", "7", "6"]);
    assert_eq!(read_older, ["2", "1", "0"]);
    let newest = app.history("anna", &format!("?around={}&limit=200", around(&ids[8]))).await.body;
    assert_eq!(bodies(&newest).len(), 9);
}

#[tokio::test]
async fn a_page_around_a_message_needs_one_of_the_room() {
    let app = TestApp::new().await;
    let sent = app.send("anna", &json!({})).await.body["event_id"].as_str().expect("an id").to_owned();
    for event in ["$nowhere", "x", "%24a%0A"] {
        let answer = app.history("anna", &format!("?around={event}")).await;
        assert_eq!((answer.status, &answer.body["detail"]), (404, &json!("message not found")), "{event}");
    }
    for (query, named) in [
        (format!("?around={sent}&from_token=x"), "?around"),
        ("?direction=forward".to_owned(), "?from_token"),
        ("?direction=sideways".to_owned(), "?direction"),
        ("?direction=forward&from_token=x".to_owned(), "?from_token"),
        ("?direction=forward&from_token=nonsense%7C".to_owned(), "?from_token"),
        (format!("?direction=forward&from_token=1%7C{sent}"), "?from_token"),
    ] {
        let answer = app.history("anna", &query).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec![named]), "{query}");
    }
    let path = format!("/api/v1/messages/history/{}?around={sent}", app.room);
    let foreign =
        Request::get(&path).header("Authorization", format!("Bearer {}", token_of("fritz", "admin", 2)));
    assert_eq!(app.wire.ask(foreign).await.body["detail"], "room not found");
    app.messenger.homeserver.switch_off();
    assert_eq!(app.history("anna", &format!("?around={sent}")).await.status, 503);
}

#[tokio::test]
async fn wrong_parameters_of_a_page_are_named() {
    let app = TestApp::new().await;
    app.send("anna", &json!({})).await;
    for limit in ["0", "201", "-1", "", "x", "1.5"] {
        let answer = app.history("anna", &format!("?limit={limit}")).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec!["?limit"]), "{limit}");
    }
    // A token that the homeserver does not know is a wrong parameter as well.
    for token in ["x", "%7C", "%7C$event1", "nonsense%7C$event1", "%00", &"x".repeat(1001)] {
        let answer = app.history("anna", &format!("?from_token={token}")).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec!["?from_token"]), "{token}");
    }
    assert_eq!(app.history("anna", "?from_token=&limit=200").await.status, 200, "an empty one is none");
}

#[tokio::test]
async fn only_members_find_the_room_and_a_viewer_may_read_it() {
    let app = TestApp::new().await;
    app.send("anna", &json!({})).await;
    let path = format!("/api/v1/messages/history/{}", app.room);
    let as_one = async |token: String| {
        app.wire.ask(Request::get(&path).header("Authorization", format!("Bearer {token}"))).await
    };
    assert_eq!(
        as_one(token_of("bert", "viewer", 1)).await.body["messages"].as_array().map(Vec::len),
        Some(1)
    );
    let foreign = as_one(token_of("fritz", "super_admin", 2)).await;
    assert_eq!((foreign.status, &foreign.body["detail"]), (404, &json!("room not found")));
    let unknown = ["!nowhere", "!a/b:x", "!a?b", "!a#b", "!a%2Fb", "..", "\0"];
    for path in unknown.into_iter().map(segment).chain(["%FF".to_owned(), "%C3".to_owned()]) {
        let answer = app.get("anna", &format!("/api/v1/messages/history/{path}")).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{path}");
    }
    let in_url = format!("{path}?token={}", token_of("anna", "user", 1));
    assert_eq!(app.wire.ask(Request::get(in_url)).await.body["code"], "token_missing");
    assert_eq!(app.wire.ask(by("anna", Method::POST, &path)).await.status, 405);
    app.messenger.homeserver.switch_off();
    let away = app.history("anna", "").await;
    assert_eq!((away.status, &away.body["code"]), (503, &json!("homeserver_unavailable")));
    assert_eq!(away.body["errors"], Value::Null);
}
