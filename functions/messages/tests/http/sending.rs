//! `POST /messages/send`.

use axum::http::{Method, Request};
use messenger_core::error::Failure;
use serde_json::json;

use crate::{SEND, TestApp, by, token_of, wrong};

#[tokio::test]
async fn a_sent_message_is_answered_with_each_field() {
    let app = TestApp::new().await;
    insta::assert_json_snapshot!(app.send("anna", &json!({ "body": "Größe 42 ✓\n zweite Zeile " })).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "body": "Größe 42 ✓\n zweite Zeile ",
        "edited": false,
        "event_id": "$event1",
        "formatted_body": null,
        "mentions": {
          "hub_user_ids": [],
          "room": false
        },
        "msg_type": "m.text",
        "reactions": [],
        "reply_to": null,
        "room_id": "!room1",
        "sender": "@anna:hub.local",
        "sender_display_name": "Name von anna",
        "timestamp": "2026-01-01T06:00:00.000000Z"
      }
    }
    "#);
    for kind in ["m.text", "m.notice", "m.emote"] {
        let sent = app.send("anna", &json!({ "msg_type": kind, "unknown": 1 })).await;
        assert_eq!((sent.status, &sent.body["msg_type"]), (200, &json!(kind)));
    }
    // `null` counts as absent.
    let sent = app.send("anna", &json!({ "msg_type": null, "txn_id": null })).await;
    assert_eq!((sent.status, &sent.body["msg_type"]), (200, &json!("m.text")));
}

#[tokio::test]
async fn a_repeated_txn_id_sends_once_and_a_call_without_one_sends_again() {
    let app = TestApp::new().await;
    let twice = async |fields: &serde_json::Value| {
        let first = app.send("anna", fields).await;
        let again = app.send("anna", fields).await;
        assert_eq!((first.status, again.status), (200, 200), "{}", again.body);
        first.body["event_id"] == again.body["event_id"]
    };
    assert!(twice(&json!({ "txn_id": "1" })).await);
    assert!(twice(&json!({ "txn_id": "ü/".repeat(127) })).await, "255 characters of any kind");
    assert!(!twice(&json!({})).await);
    assert!(!twice(&json!({ "txn_id": null })).await);
    assert!(!twice(&json!({ "txn_id": "" })).await, "a blank one is none, as in an upload");
    assert!(!twice(&json!({ "txn_id": " \t" })).await);
    let other = app.send("bert", &json!({ "txn_id": "1" })).await;
    assert_eq!(other.body["sender"], "@bert:hub.local", "a transaction is its user's own");
}

#[tokio::test]
async fn a_txn_id_of_another_message_is_refused() {
    let app = TestApp::new().await;
    let first = app.send("anna", &json!({ "body": "Ofen 3 aus", "txn_id": "1" })).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let other = app.send("anna", &json!({ "body": "Ofen 4 aus", "txn_id": "1" })).await;
    assert_eq!((other.status, &other.body["code"]), (422, &json!("idempotency_mismatch")), "{}", other.body);
    assert_eq!(wrong(&other), ["/txn_id"]);
    let mentioning = json!({ "body": "Ofen 3 aus", "txn_id": "1", "mentions": { "hub_user_ids": ["bert"] } });
    assert_eq!(app.send("anna", &mentioning).await.status, 422, "it would not ring");
    let again = app.send("anna", &json!({ "body": "Ofen 3 aus", "txn_id": "1" })).await;
    assert_eq!((again.status, again.body), (200, first.body));
    assert_eq!(app.messenger.homeserver.messages(&app.room).len(), 1);
}

#[tokio::test]
async fn a_misspelt_field_is_named_and_nothing_is_sent() {
    let app = TestApp::new().await;
    for (fields, named) in [
        (json!({ "replyTo": "$1" }), "/replyTo"),
        (json!({ "Format": "markdown" }), "/Format"),
        (json!({ "txnId": "1" }), "/txnId"),
        (json!({ "mention": { "hub_user_ids": ["bert"] } }), "/mention"),
        (json!({ "mentions": { "users": ["bert"] } }), "/mentions/users"),
        (json!({ "mentions": { "hub_user_ids": [], "user_ids": ["bert"] } }), "/mentions/user_ids"),
        (json!({ "mentions": { "hubUserIds": ["bert"] } }), "/mentions/hubUserIds"),
        (json!({ "mentions": { "hub_user_ids": ["bert"], "Room": true } }), "/mentions/Room"),
    ] {
        let answer = app.send("anna", &fields).await;
        assert_eq!((answer.status, wrong(&answer)), (422, vec![named]), "{fields}: {}", answer.body);
    }
    assert_eq!(app.messenger.homeserver.messages(&app.room).len(), 0);
    let other = json!({ "colour": "red", "mentions": { "hub_user_ids": ["bert"], "why": "on duty" } });
    assert_eq!(app.send("anna", &other).await.status, 200, "other unknown fields are ignored");
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let app = TestApp::new().await;
    let body = json!({ "room_id": 7, "body": ["x"], "msg_type": "m.image", "txn_id": {} });
    insta::assert_json_snapshot!(app.send("anna", &body).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_request",
        "detail": "room_id: must be text, is a number; body: must be text, is a list; msg_type: must be `m.text`, `m.notice` or `m.emote`, is `m.image`; txn_id: must be text, is an object",
        "errors": [
          {
            "message": "must be text, is a number",
            "pointer": "/room_id"
          },
          {
            "message": "must be text, is a list",
            "pointer": "/body"
          },
          {
            "message": "must be `m.text`, `m.notice` or `m.emote`, is `m.image`",
            "pointer": "/msg_type"
          },
          {
            "message": "must be text, is an object",
            "pointer": "/txn_id"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:invalid_request"
      }
    }
    "#);
    let before = app.messenger.homeserver.messages(&app.room).len();
    for (fields, named) in [
        (json!({ "room_id": null, "body": null }), vec!["/room_id", "/body"]),
        (json!({ "body": "" }), vec!["/body"]),
        (json!({ "body": " \n\t" }), vec!["/body"]),
        (json!({ "body": "a\u{0}b" }), vec!["/body"]),
        (json!({ "body": "ä".repeat(20_001) }), vec!["/body"]),
        (json!({ "room_id": "x".repeat(256) }), vec!["/room_id"]),
        (json!({ "room_id": "!\u{0}" }), vec!["/room_id"]),
        (json!({ "txn_id": "x".repeat(256) }), vec!["/txn_id"]),
        (json!({ "msg_type": 1 }), vec!["/msg_type"]),
        (json!({ "msg_type": "M.TEXT" }), vec!["/msg_type"]),
        (json!({ "msg_type": "" }), vec!["/msg_type"]),
    ] {
        let answer = app.send("anna", &fields).await;
        assert_eq!((answer.status, wrong(&answer)), (422, named), "{fields}");
    }
    for body in ["", "[]", "null", "{\"room_id\":\"!x\",", "room_id=x"] {
        let answer = app.wire.call(by("anna", Method::POST, SEND), body).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("invalid_json")), "{body}");
    }
    assert_eq!(app.messenger.homeserver.messages(&app.room).len(), before, "nothing was sent");
}

#[tokio::test]
async fn the_longest_message_is_sent_completely() {
    let app = TestApp::new().await;
    for longest in ["x".repeat(20_000), "ä".repeat(20_000)] {
        let sent = app.send("anna", &json!({ "body": longest })).await;
        assert_eq!((sent.status, &sent.body["body"]), (200, &json!(longest)));
    }
    // A Matrix event has at most 64 KiB: a longer text is the caller's error, not the homeserver's.
    let answer = app.send("anna", &json!({ "body": "🏭".repeat(20_000) })).await;
    assert_eq!((answer.status, wrong(&answer)), (422, vec!["/body"]));
}

#[tokio::test]
async fn a_viewer_may_not_write_and_a_room_of_others_does_not_exist() {
    let app = TestApp::new().await;
    let call = async |token: Option<String>, room: &str| {
        let request = Request::post(SEND).header("Content-Type", "application/json");
        let request = match token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        };
        app.wire.call(request, json!({ "room_id": room, "body": "x" }).to_string()).await
    };
    let room = app.room.as_str();
    assert_eq!(call(None, room).await.body["code"], "token_missing");
    assert_eq!(call(Some("a.b.c".to_owned()), room).await.body["code"], "token_invalid");
    insta::assert_json_snapshot!(call(Some(token_of("bert", "viewer", 1)), room).await, @r#"
    {
      "status": 403,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "read_only_role",
        "detail": "your role may read, not write: ask an administrator for another one",
        "request_id": "[that of the header]",
        "status": 403,
        "title": "Forbidden",
        "type": "urn:messenger-service:problem:read_only_role"
      }
    }
    "#);
    insta::assert_json_snapshot!(call(Some(token_of("fritz", "admin", 2)), room).await, @r#"
    {
      "status": 404,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "not_found",
        "detail": "room not found",
        "request_id": "[that of the header]",
        "status": 404,
        "title": "Not Found",
        "type": "urn:messenger-service:problem:not_found"
      }
    }
    "#);
    for id in ["!nowhere", "!a/b:x", "!a?b", "!a#b", "!a%2Fb", "..", "x", "#alias:hub.local"] {
        let answer = call(Some(token_of("anna", "user", 1)), id).await;
        assert_eq!((answer.status, &answer.body["detail"]), (404, &json!("room not found")), "{id}");
    }
    // A viewer learns nothing about rooms.
    assert_eq!(call(Some(token_of("viola", "viewer", 1)), "!nowhere").await.status, 403);
}

#[tokio::test]
async fn a_failure_of_the_homeserver_is_answered_with_retry_after() {
    let app = TestApp::new().await;
    app.messenger.homeserver.fail_call(1, Failure::Unreachable);
    insta::assert_json_snapshot!(app.send("anna", &json!({})).await, @r#"
    {
      "status": 503,
      "headers": {
        "content-type": "application/problem+json",
        "retry-after": "2"
      },
      "body": {
        "code": "homeserver_unavailable",
        "detail": "the homeserver could not be reached while sending a message: try again later",
        "request_id": "[that of the header]",
        "status": 503,
        "title": "Service Unavailable",
        "type": "urn:messenger-service:problem:homeserver_unavailable"
      }
    }
    "#);
    for (failure, status, code) in [
        (Failure::TimedOut, 504, "homeserver_timeout"),
        (Failure::Broken, 502, "homeserver_error"),
        (Failure::Rejected, 502, "homeserver_error"),
    ] {
        app.messenger.homeserver.fail_call(1, failure);
        let answer = app.send("anna", &json!({})).await;
        assert_eq!((answer.status, &answer.body["code"]), (status, &json!(code)));
    }
    // The message was sent and only reading it back failed: it counts as sent.
    app.messenger.homeserver.fail_call(2, Failure::Unreachable);
    assert_eq!(app.send("anna", &json!({})).await.status, 200);
}
