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
            "event_id": "$event2",
            "file_size": 4,
            "file_url": "mxc://hub.local/file1",
            "filename": "plan.txt",
            "media_path": "/api/v1/messages/media/hub.local/file1",
            "mimetype": "text/plain",
            "msg_type": "m.file",
            "room_id": "!room1",
            "sender": "@anna:hub.local",
            "sender_display_name": "Name von anna",
            "timestamp": "2026-01-01T06:00:00.000000Z"
          },
          {
            "body": "Guten Morgen",
            "event_id": "$event1",
            "msg_type": "m.notice",
            "room_id": "!room1",
            "sender": "@bert:hub.local",
            "sender_display_name": "Name von bert",
            "timestamp": "2026-01-01T06:00:00.000000Z"
          }
        ]
      }
    }
    "#);
}

#[tokio::test]
async fn an_empty_room_has_an_empty_page() {
    let app = TestApp::new().await;
    let empty = json!({ "messages": [], "end_token": null, "has_more": false });
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
