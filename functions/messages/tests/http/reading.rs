//! `GET /messages/history/{room_id}`.

use axum::http::{Method, Request};
use messenger_core::id::MatrixUserId;
use serde_json::{Value, json};

use crate::{Stand, by, segment, token_of, wrong};

#[tokio::test]
async fn a_page_has_messages_and_files_newest_first() {
    let stand = Stand::new().await;
    stand.send("bert", &json!({ "body": "Guten Morgen", "msg_type": "m.notice" })).await;
    let room = stand.room.to_string();
    stand
        .upload(&[
            ("name=\"room_id\"", room.as_bytes()),
            ("name=\"file\"; filename=\"plan.txt\"", b"Plan".as_slice()),
        ])
        .await;
    insta::assert_json_snapshot!(stand.history("anna", "").await, @r#"
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
    let stand = Stand::new().await;
    let empty = json!({ "messages": [], "end_token": null, "has_more": false });
    assert_eq!(stand.history("anna", "").await.body, empty);
    // Nor do events that are no messages make one.
    let bert = MatrixUserId::new("@bert:hub.local");
    for _ in 0..120 {
        stand.messenger.homeserver.send_event(&stand.room, &bert, "com.example.noise", json!({}));
    }
    assert_eq!(stand.history("anna", "").await.body, empty);
}

#[tokio::test]
async fn pages_join_without_hole_or_repeat_whatever_their_size() {
    let stand = Stand::new().await;
    for n in 0..7 {
        stand.send("anna", &json!({ "body": n.to_string() })).await;
    }
    for limit in [1, 2, 3, 7, 200] {
        let (mut read, mut query) = (Vec::new(), format!("?limit={limit}"));
        loop {
            let page = stand.history("anna", &query).await.body;
            let messages = page["messages"].as_array().expect("messages");
            assert!(messages.len() <= limit);
            read.extend(messages.iter().map(|message| message["body"].as_str().expect("a body").to_owned()));
            assert_eq!(page["has_more"], json!(!page["end_token"].is_null()), "both say the same");
            let Some(token) = page["end_token"].as_str() else { break };
            query = format!("?limit={limit}&from_token={}", segment(token));
        }
        assert_eq!(read, ["6", "5", "4", "3", "2", "1", "0"], "{limit} at a time");
    }
}

#[tokio::test]
async fn a_wrong_page_is_named() {
    let stand = Stand::new().await;
    stand.send("anna", &json!({})).await;
    for limit in ["0", "201", "-1", "", "x", "1.5"] {
        let answer = stand.history("anna", &format!("?limit={limit}")).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec!["?limit"]), "{limit}");
    }
    // One that the homeserver does not know is the caller's mistake, too.
    for token in ["x", "%7C", "%7C$event1", "nonsense%7C$event1", "%00", &"x".repeat(1001)] {
        let answer = stand.history("anna", &format!("?from_token={token}")).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec!["?from_token"]), "{token}");
    }
    assert_eq!(stand.history("anna", "?from_token=&limit=200").await.status, 200, "an empty one is none");
}

#[tokio::test]
async fn who_is_no_member_finds_no_room_and_a_viewer_reads() {
    let stand = Stand::new().await;
    stand.send("anna", &json!({})).await;
    let path = format!("/api/v1/messages/history/{}", stand.room);
    let as_one = async |token: String| {
        stand.wire.ask(Request::get(&path).header("Authorization", format!("Bearer {token}"))).await
    };
    assert_eq!(
        as_one(token_of("bert", "viewer", 1)).await.body["messages"].as_array().map(Vec::len),
        Some(1)
    );
    let foreign = as_one(token_of("fritz", "super_admin", 2)).await;
    assert_eq!((foreign.status, &foreign.body["detail"]), (404, &json!("room not found")));
    let odd = ["!nowhere", "!a/b:x", "!a?b", "!a#b", "!a%2Fb", "..", "\0"];
    for path in odd.into_iter().map(segment).chain(["%FF".to_owned(), "%C3".to_owned()]) {
        let answer = stand.get("anna", &format!("/api/v1/messages/history/{path}")).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{path}");
    }
    let in_url = format!("{path}?token={}", token_of("anna", "user", 1));
    assert_eq!(stand.wire.ask(Request::get(in_url)).await.body["code"], "token_missing");
    assert_eq!(stand.wire.ask(by("anna", Method::POST, &path)).await.status, 405);
    stand.messenger.homeserver.switch_off();
    let away = stand.history("anna", "").await;
    assert_eq!((away.status, &away.body["code"]), (503, &json!("homeserver_unavailable")));
    assert_eq!(away.body["errors"], Value::Null);
}
