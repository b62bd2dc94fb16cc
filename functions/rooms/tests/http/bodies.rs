//! Bodies and queries that are wrong: every wrong field is named, and nothing is made.

use axum::http::{Method, Request};
use messenger_runtime::testing::bearer;
use serde_json::{Value, json};

use crate::{TestApp, by, segment, wrong};

#[tokio::test]
async fn everything_that_is_wrong_with_a_new_room_is_said_at_once() {
    let app = TestApp::with(&["anna"]).await;
    let before = app.messenger.homeserver.rooms().len();
    let body = json!({ "name": 7, "topic": ["x"], "invite_users": ["bert", 1, null, "", "x\u{0}y", "x".repeat(257)] });
    insta::assert_json_snapshot!(app.post("anna", "/api/v1/rooms", &body).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_request",
        "detail": "name: must be text, is a number; topic: must be text, is a list; invite_users/1: must be the id of a user; invite_users/2: must be the id of a user; invite_users/3: must be the id of a user; invite_users/4: must be the id of a user; invite_users/5: must be the id of a user",
        "errors": [
          {
            "message": "must be text, is a number",
            "pointer": "/name"
          },
          {
            "message": "must be text, is a list",
            "pointer": "/topic"
          },
          {
            "message": "must be the id of a user",
            "pointer": "/invite_users/1"
          },
          {
            "message": "must be the id of a user",
            "pointer": "/invite_users/2"
          },
          {
            "message": "must be the id of a user",
            "pointer": "/invite_users/3"
          },
          {
            "message": "must be the id of a user",
            "pointer": "/invite_users/4"
          },
          {
            "message": "must be the id of a user",
            "pointer": "/invite_users/5"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:invalid_request"
      }
    }
    "#);
    let long = |length: usize| "ä".repeat(length);
    for (body, fields) in [
        (json!({}), vec!["/name"]),
        (json!({ "name": null }), vec!["/name"]),
        (json!({ "name": " \n" }), vec!["/name"]),
        (json!({ "name": long(256) }), vec!["/name"]),
        (json!({ "name": "a\u{0}b" }), vec!["/name"]),
        (json!({ "name": "x", "topic": long(1001) }), vec!["/topic"]),
        (json!({ "name": "x", "invite_users": "anna" }), vec!["/invite_users"]),
        (json!({ "name": "x", "invite_users": { "0": "anna" } }), vec!["/invite_users"]),
        (json!({ "name": "x", "invite_users": vec!["anna"; 201] }), vec!["/invite_users"]),
        (json!({ "name": "x", "invite_users": [["anna"]] }), vec!["/invite_users/0"]),
        (json!({ "name": "x", "inviteUsers": ["anna"] }), vec!["/inviteUsers"]),
        (json!({ "name": "x", "Topic": "y" }), vec!["/Topic"]),
    ] {
        let answer = app.post("anna", "/api/v1/rooms", &body).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("invalid_request")), "{body}");
        assert_eq!(wrong(&answer), fields, "{body}");
    }
    assert_eq!(app.messenger.homeserver.rooms().len(), before, "nothing was made");
}

#[tokio::test]
async fn the_largest_that_may_be_is_taken() {
    let app = TestApp::with(&["anna"]).await;
    let body =
        json!({ "name": "ä".repeat(255), "topic": "🏭".repeat(1000), "invite_users": vec!["anna"; 200] });
    let made = app.post("anna", "/api/v1/rooms", &body).await;
    assert_eq!((made.status, &made.body["name"]), (201, &Value::Null), "{}", made.body);
    assert_eq!((&made.body["display_name"], &made.body["topic"]), (&body["name"], &body["topic"]));
}

#[tokio::test]
async fn who_is_unknown_is_named_and_nothing_is_made() {
    let app = TestApp::with(&["anna", "bert"]).await;
    let before = app.messenger.homeserver.rooms().len();
    let body = json!({ "name": "Umbau", "invite_users": ["bert", "niemand", "@niemand:hub.local"] });
    insta::assert_json_snapshot!(app.post("anna", "/api/v1/rooms", &body).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "unknown_user",
        "detail": "invite_users/1: `niemand` is no user of your tenant; invite_users/2: `@niemand:hub.local` is no user of your tenant",
        "errors": [
          {
            "message": "`niemand` is no user of your tenant",
            "pointer": "/invite_users/1"
          },
          {
            "message": "`@niemand:hub.local` is no user of your tenant",
            "pointer": "/invite_users/2"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:unknown_user"
      }
    }
    "#);
    assert_eq!(app.messenger.homeserver.rooms().len(), before);
    let room = app.made("anna", "Umbau", &[]).await;
    let path = format!("/api/v1/rooms/{}/invite", segment(&room));
    for (body, code) in [
        (json!({ "hub_user_id": "niemand" }), "unknown_user"),
        (json!({ "hub_user_id": "@bert:elsewhere.org" }), "unknown_user"),
        (json!({ "hub_user_id": " " }), "invalid_request"),
        (json!({ "hub_user_id": 7 }), "invalid_request"),
        (json!({ "user_id": "bert" }), "invalid_request"),
        (json!({ "hub_user_id": "x".repeat(300) }), "invalid_request"),
    ] {
        let answer = app.post("anna", &path, &body).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!(code)), "{body}");
        assert_eq!(wrong(&answer), ["/hub_user_id"], "{body}");
    }
    let members = app.get("anna", &format!("/api/v1/rooms/{}/members", segment(&room))).await;
    assert_eq!(members.body.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let app = TestApp::with(&["anna"]).await;
    let room = app.made("anna", "Umbau", &[]).await;
    for path in ["/api/v1/rooms".to_owned(), format!("/api/v1/rooms/{}/invite", segment(&room))] {
        for body in ["", "{", "[]", "\"x\"", "null", "{\"name\": \"\u{fffd}\"", "name=x"] {
            let answer = app.wire.call(by("anna", Method::POST, &path), body).await;
            assert_eq!((answer.status, &answer.body["code"]), (422, &json!("invalid_json")), "{path} {body}");
        }
        let latin = app.wire.call(by("anna", Method::POST, &path), b"{\"name\":\"\xe4\"}".to_vec()).await;
        assert_eq!((latin.status, &latin.body["code"]), (422, &json!("invalid_json")));
        let form =
            Request::post(&path).header("Authorization", bearer("anna")).header("Content-Type", "text/plain");
        let answer = app.wire.call(form, "{}").await;
        assert_eq!((answer.status, &answer.body["code"]), (415, &json!("unsupported_media_type")));
        let large = format!("{{\"name\":\"{}\"}}", "x".repeat(3 << 20));
        let answer = app.wire.call(by("anna", Method::POST, &path), large).await;
        assert_eq!((answer.status, &answer.body["code"]), (413, &json!("body_too_large")));
    }
}

#[tokio::test]
async fn a_wrong_search_is_named() {
    let app = TestApp::with(&["anna"]).await;
    let long = "x".repeat(256);
    let path = format!("/api/v1/rooms/directory?limit=201&offset=-1&q={long}&entity_type=%00");
    let answer = app.get("anna", &path).await;
    assert_eq!((answer.status, wrong(&answer)), (422, vec!["?q", "?entity_type", "?limit", "?offset"]));
    for query in
        ["limit=0", "limit=", "limit=1.5", "limit=x", "offset=1000001", "offset=99999999999999999999"]
    {
        let answer = app.get("anna", &format!("/api/v1/rooms/directory?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
    }
    for query in ["limit=1", "limit=200", "offset=0", "offset=1000000", "q=", "unknown=1"] {
        let answer = app.get("anna", &format!("/api/v1/rooms/directory?{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
    }
}

#[tokio::test]
async fn names_are_shown_without_what_nobody_sees_and_what_turns_the_line() {
    let app = TestApp::with(&["anna"]).await;
    for (name, topic, shown) in [
        ("Um\u{200b}bau\u{202e}", "a\u{2066}b\nc", ("Umbau", json!("ab c"))),
        (" U\u{308}bung ", "\u{200b}", ("Übung", json!(null))),
        ("Team 👩\u{200d}🔧", "❤\u{fe0f}", ("Team 👩\u{200d}🔧", json!("❤\u{fe0f}"))),
    ] {
        let made = app.post("anna", "/api/v1/rooms", &json!({ "name": name, "topic": topic })).await;
        let (name, topic) = shown;
        assert_eq!((&made.body["display_name"], &made.body["topic"]), (&json!(name), &topic));
    }
    let unseen = app.post("anna", "/api/v1/rooms", &json!({ "name": "\u{200b}\u{3164}\u{202e}" })).await;
    assert_eq!((unseen.status, wrong(&unseen)), (422, vec!["/name"]));
}

#[tokio::test]
async fn each_unicode_form_of_an_id_is_the_same_user_at_each_endpoint() {
    let app = TestApp::with(&["anna", "müller"]).await;
    let spelling = " mu\u{308}ller\u{a0}";
    let body = json!({ "name": "Umbau", "invite_users": [spelling] });
    let made = app.post("anna", "/api/v1/rooms", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let room = made.body["matrix_room_id"].as_str().expect("an id").to_owned();
    let members = app.get("müller", &format!("/api/v1/rooms/{}/members", segment(&room))).await;
    assert_eq!(members.body.as_array().map(Vec::len), Some(2));
    let empty = app.made("anna", "Leer", &[]).await;
    let path = format!("/api/v1/rooms/{}/invite", segment(&empty));
    let invited = app.post("anna", &path, &json!({ "hub_user_id": spelling })).await;
    assert_eq!((invited.status, &invited.body["hub_user_id"]), (200, &json!("müller")));
    let dm = |user: &str| format!("/api/v1/rooms/dm/{}", segment(user));
    let first = app.post("anna", &dm("müller"), &json!({})).await;
    let again = app.post("anna", &dm(spelling), &json!({})).await;
    assert_eq!((again.status, &again.body["matrix_room_id"]), (200, &first.body["matrix_room_id"]));
    // Their token may spell it as it likes, too.
    let rooms = app.get(spelling, "/api/v1/rooms").await;
    assert_eq!(rooms.body["rooms"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn json_as_it_comes_is_read_where_its_meaning_is_clear() {
    let app = TestApp::with(&["anna"]).await;
    let post =
        async |body: &str| app.wire.call(by("anna", Method::POST, "/api/v1/rooms"), body.to_owned()).await;
    for body in [
        r#"{"name": "cut \ud83d", "note": 1e400}"#.to_owned(),
        format!("\u{feff}{{\"name\": \"x\", \"deep\": {}{}}}", "[".repeat(200_000), "]".repeat(200_000)),
    ] {
        assert_eq!(post(&body).await.status, 201);
    }
    for (body, field) in [
        (r#"{"name": 1e400}"#, "/name"),
        (r#"{"name": "x", "invite_users": ["a", "b\ud83d", 1e400]}"#, "/invite_users/1"),
        (r#"{"name": "x", "invite_user": ["bert"]}"#, "/invite_user"),
    ] {
        let answer = post(body).await;
        assert_eq!((answer.status, wrong(&answer)[0]), (422, field), "{}", answer.body);
    }
    let compressed = by("anna", Method::POST, "/api/v1/rooms").header("Content-Encoding", "gzip");
    assert_eq!(app.wire.call(compressed, "{\"name\": \"x\"}").await.status, 415);
}
