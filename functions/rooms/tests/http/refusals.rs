//! Refusals: missing rights, unknown objects, and systems that are away.

use std::time::Duration;

use axum::http::{Method, Request};
use messenger_runtime::testing::token;
use serde_json::json;

use crate::{TestApp, acts, as_one, by, segment};

/// Returns all endpoints, with this room and user.
fn all(room: &str, user: &str) -> Vec<(Method, String)> {
    let others = [
        (Method::GET, "/api/v1/rooms".to_owned()),
        (Method::POST, "/api/v1/rooms".to_owned()),
        (Method::GET, "/api/v1/rooms/directory".to_owned()),
        (Method::POST, format!("/api/v1/rooms/dm/{user}")),
    ];
    others.into_iter().chain(acts(room)).collect()
}

#[tokio::test]
async fn each_endpoint_needs_a_token() {
    let app = TestApp::with(&["anna"]).await;
    let room = app.made("anna", "Umbau", &[]).await;
    insta::assert_json_snapshot!(app.wire.ask(Request::get("/api/v1/rooms")).await, @r#"
    {
      "status": 401,
      "headers": {
        "content-type": "application/problem+json",
        "www-authenticate": "Bearer"
      },
      "body": {
        "code": "token_missing",
        "detail": "the user's token is missing: send it as `Authorization: Bearer <JWT>`",
        "request_id": "[that of the header]",
        "status": 401,
        "title": "Unauthorized",
        "type": "urn:messenger-service:problem:token_missing"
      }
    }
    "#);
    for (method, path) in all(&room, "anna") {
        // A token in the URL, which ends up in logs, does not count; and the answer does not reveal problems
        // of the body.
        let in_url = Request::builder().method(method.clone()).uri(format!("{path}?token={}", token("anna")));
        let answer = app.wire.call(in_url, "no JSON").await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_missing")), "{method} {path}");
        let forged =
            Request::builder().method(method.clone()).uri(&path).header("Authorization", "Bearer a.b.c");
        let answer = app.wire.call(forged, "no JSON").await;
        assert_eq!((answer.status, &answer.body["code"]), (401, &json!("token_invalid")), "{method} {path}");
    }
}

#[tokio::test]
async fn a_viewer_creates_nothing_and_gets_the_reason() {
    let app = TestApp::with(&["anna", "bert"]).await;
    let room = app.made("anna", "Umbau", &["bert"]).await;
    let before = app.messenger.homeserver.rooms().len();
    let viewer = async |method: Method, path: &str| {
        let body = json!({ "name": "x", "hub_user_id": "anna" }).to_string();
        app.wire.call(as_one("bert", "viewer", 1, method, path), body).await
    };
    insta::assert_json_snapshot!(viewer(Method::POST, "/api/v1/rooms").await, @r#"
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
    for path in ["/api/v1/rooms/dm/anna".to_owned(), format!("/api/v1/rooms/{}/invite", segment(&room))] {
        let answer = viewer(Method::POST, &path).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!("read_only_role")), "{path}");
    }
    assert_eq!(app.messenger.homeserver.rooms().len(), before);
}

#[tokio::test]
async fn a_room_of_others_does_not_exist() {
    let app = TestApp::with(&["anna", "bert", "carl"]).await;
    let room = app.made("anna", "Umbau", &["bert"]).await;
    let chat = app.post("anna", "/api/v1/rooms/dm/bert", &json!({})).await.body["matrix_room_id"].clone();
    let machine = app.machine().await;
    let path = format!("/api/v1/rooms/{}/members", segment(&room));
    insta::assert_json_snapshot!(app.get("carl", &path).await, @r#"
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
    let body = json!({ "hub_user_id": "carl", "typing": true }).to_string();
    for id in [
        room.as_str(),
        chat.as_str().expect("an id"),
        "!nowhere",
        "!a%2Fb:x",
        "!a/b",
        "!a?b",
        "!a#b",
        "!\u{0}",
    ] {
        for (method, path) in acts(id) {
            let request = by("carl", method.clone(), &path);
            let answer = app.wire.call(request, body.clone()).await;
            assert_eq!(
                (answer.status, &answer.body["detail"]),
                (404, &json!("room not found")),
                "{method} {path}"
            );
        }
    }
    // Another tenant does not find the rooms of the directory either.
    let general = app.get("anna", "/api/v1/rooms").await.body["rooms"].clone();
    let general =
        general.as_array().expect("rooms").iter().find(|room| room["room_type"] == "general").cloned();
    let general = general.expect("a general room")["matrix_room_id"].clone();
    for id in [room.as_str(), machine.as_str(), general.as_str().expect("an id")] {
        for (method, path) in acts(id) {
            let answer = app.wire.call(as_one("fritz", "user", 2, method.clone(), &path), body.clone()).await;
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
    let chat = app.wire.ask(as_one("fritz", "user", 2, Method::POST, "/api/v1/rooms/dm/anna")).await;
    assert_eq!((chat.status, &chat.body["detail"]), (404, &json!("user not found")));
    for path in ["/api/v1/rooms", "/api/v1/rooms/directory"] {
        let list = app.wire.ask(as_one("fritz", "admin", 2, Method::GET, path)).await;
        assert_eq!(list.body, json!({ "rooms": [] }), "{path}");
    }
}

#[tokio::test]
async fn a_path_that_is_not_utf8_names_no_user_and_no_room() {
    let app = TestApp::with(&["anna"]).await;
    for (method, path) in [
        (Method::POST, "/api/v1/rooms/%FF/join"),
        (Method::GET, "/api/v1/rooms/%C3/members"),
        (Method::POST, "/api/v1/rooms/dm/%FF"),
        (Method::POST, "/api/v1/rooms/dm/%00"),
    ] {
        let answer = app.wire.ask(by("anna", method, path)).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{path}");
    }
}

#[tokio::test]
async fn an_act_that_the_kind_of_a_room_forbids_is_a_conflict() {
    let app = TestApp::with(&["anna", "bert", "carl"]).await;
    let chat = app.post("anna", "/api/v1/rooms/dm/bert", &json!({})).await.body["matrix_room_id"].clone();
    let path = |what: &str| format!("/api/v1/rooms/{}/{what}", segment(chat.as_str().expect("an id")));
    insta::assert_json_snapshot!(app.post("anna", &path("invite"), &json!({ "hub_user_id": "carl" })).await, @r#"
    {
      "status": 409,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "room_is_direct",
        "detail": "a direct chat stays between two: make a room for more",
        "request_id": "[that of the header]",
        "status": 409,
        "title": "Conflict",
        "type": "urn:messenger-service:problem:room_is_direct"
      }
    }
    "#);
    insta::assert_json_snapshot!(app.post("anna", &path("leave"), &json!({})).await, @r#"
    {
      "status": 409,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "room_cannot_be_left",
        "detail": "direct chats and the room of everybody cannot be left",
        "request_id": "[that of the header]",
        "status": 409,
        "title": "Conflict",
        "type": "urn:messenger-service:problem:room_cannot_be_left"
      }
    }
    "#);
    insta::assert_json_snapshot!(app.post("anna", "/api/v1/rooms/dm/anna", &json!({})).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_request",
        "detail": "hub_user_id: is you: a direct chat needs somebody else",
        "errors": [
          {
            "message": "is you: a direct chat needs somebody else",
            "pointer": "/hub_user_id"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:invalid_request"
      }
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn without_the_homeserver_lists_work_and_changes_get_retry_after() {
    let app = TestApp::with(&["anna", "bert"]).await;
    let room = app.made("anna", "Umbau", &[]).await;
    app.messenger.homeserver.switch_off();
    insta::assert_json_snapshot!(app.post("anna", "/api/v1/rooms", &json!({ "name": "x" })).await, @r#"
    {
      "status": 503,
      "headers": {
        "content-type": "application/problem+json",
        "retry-after": "2"
      },
      "body": {
        "code": "homeserver_unavailable",
        "detail": "the homeserver could not be reached while creating a room: try again later",
        "request_id": "[that of the header]",
        "status": 503,
        "title": "Service Unavailable",
        "type": "urn:messenger-service:problem:homeserver_unavailable"
      }
    }
    "#);
    let members = format!("/api/v1/rooms/{}/members", segment(&room));
    for path in ["/api/v1/rooms", "/api/v1/rooms/directory", &members] {
        assert_eq!(app.get("anna", path).await.status, 200, "{path}");
    }
    for what in ["join", "read", "leave"] {
        let answer = app.post("anna", &format!("/api/v1/rooms/{}/{what}", segment(&room)), &json!({})).await;
        assert!(matches!(answer.status, 200 | 204), "{what}: {}", answer.body);
    }
    app.messenger.homeserver.switch_on();
    app.messenger.homeserver.fail_call(1, messenger_core::error::Failure::TimedOut);
    let slow = app.post("anna", "/api/v1/rooms/dm/bert", &json!({})).await;
    assert_eq!((slow.status, &slow.body["code"]), (504, &json!("homeserver_timeout")));
    app.messenger.homeserver.fail_call(1, messenger_core::error::Failure::Limited(Duration::from_secs(7)));
    let limited = app.post("anna", "/api/v1/rooms/dm/bert", &json!({})).await;
    assert_eq!((limited.status, &limited.all_headers["retry-after"]), (503, &"7".parse().expect("a header")));
    app.messenger.homeserver.fail_call(1, messenger_core::error::Failure::Broken);
    let broken = app.post("anna", "/api/v1/rooms/dm/bert", &json!({})).await;
    assert_eq!((broken.status, &broken.body["code"]), (502, &json!("homeserver_error")));
    app.messenger.memory.switch_off();
    let away = app.get("anna", "/api/v1/rooms").await;
    assert_eq!((away.status, &away.body["code"]), (503, &json!("database_unavailable")));
}

#[tokio::test]
async fn another_method_is_405() {
    let app = TestApp::with(&[]).await;
    for (method, path, allowed) in [
        (Method::PUT, "/api/v1/rooms", "GET,HEAD,POST"),
        (Method::POST, "/api/v1/rooms/directory", "GET,HEAD"),
        (Method::GET, "/api/v1/rooms/dm/anna", "POST"),
        (Method::GET, "/api/v1/rooms/x/join", "POST"),
        (Method::DELETE, "/api/v1/rooms/x/members", "GET,HEAD"),
    ] {
        let answer = app.wire.ask(by("anna", method, path)).await;
        assert_eq!((answer.status, &answer.body["code"]), (405, &json!("method_not_allowed")), "{path}");
        assert_eq!(answer.all_headers["allow"], allowed, "{path}");
    }
}
