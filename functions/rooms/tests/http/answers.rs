//! The answer of each endpoint to a correct request, field by field.

use std::time::Duration;

use axum::http::Method;
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use crate::{TestApp, as_one, segment};

/// Returns an app in which anna is in a room of each kind.
async fn with_each_kind_of_room() -> TestApp {
    let app = TestApp::with(&["anna", "bert"]).await;
    app.made("anna", "Umbau", &[]).await;
    app.messenger.pass(Duration::from_secs(1));
    app.post("anna", "/api/v1/rooms/dm/bert", &json!({})).await;
    app.messenger.pass(Duration::from_secs(1));
    app.messenger.send(fixtures::dm("anna", "Freigabe"), Duration::from_secs(1)).await;
    app.messenger.pass(Duration::from_secs(1));
    let machine = app.machine().await;
    app.post("anna", &format!("/api/v1/rooms/{machine}/join"), &json!({})).await;
    let event = app.messenger.homeserver.send_text(
        &fixtures::room(&machine),
        &messenger_core::id::MatrixUserId::new("@bert:hub.local"),
        "Läuft wieder",
    );
    let event = app.messenger.homeserver.room_event(&fixtures::room(&machine), &event);
    app.messenger.ingest().receive(vec![event]).await.expect("received");
    app
}

#[tokio::test]
async fn a_list_has_each_kind_of_room_with_each_field() {
    let app = with_each_kind_of_room().await;
    insta::assert_json_snapshot!(app.get("anna", "/api/v1/rooms").await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "rooms": [
          {
            "display_name": "machine 42",
            "encrypted": false,
            "entity_id": 42,
            "entity_type": "machine",
            "last_message": "Läuft wieder",
            "last_message_ts": "2026-01-01T06:00:06.000000Z",
            "matrix_room_id": "!room5",
            "mention_count": 0,
            "muted": false,
            "read_event_id": null,
            "room_type": "entity",
            "topic": null,
            "unread_count": 1
          },
          {
            "display_name": "Messenger",
            "encrypted": false,
            "entity_id": null,
            "entity_type": null,
            "last_message": null,
            "last_message_ts": null,
            "matrix_room_id": "!room4",
            "mention_count": 0,
            "muted": false,
            "read_event_id": null,
            "room_type": "dm",
            "topic": null,
            "unread_count": 0
          },
          {
            "display_name": "Name von bert",
            "encrypted": false,
            "entity_id": null,
            "entity_type": null,
            "last_message": null,
            "last_message_ts": null,
            "matrix_room_id": "!room3",
            "mention_count": 0,
            "muted": false,
            "read_event_id": null,
            "room_type": "dm",
            "topic": null,
            "unread_count": 0
          },
          {
            "display_name": "Umbau",
            "encrypted": false,
            "entity_id": null,
            "entity_type": null,
            "last_message": null,
            "last_message_ts": null,
            "matrix_room_id": "!room2",
            "mention_count": 0,
            "muted": false,
            "read_event_id": null,
            "room_type": "custom",
            "topic": null,
            "unread_count": 0
          },
          {
            "display_name": "Allgemein",
            "encrypted": false,
            "entity_id": null,
            "entity_type": null,
            "last_message": null,
            "last_message_ts": null,
            "matrix_room_id": "!room1",
            "mention_count": 0,
            "muted": false,
            "read_event_id": null,
            "room_type": "general",
            "topic": null,
            "unread_count": 0
          }
        ]
      }
    }
    "#);
}

#[tokio::test]
async fn a_room_is_created() {
    let app = TestApp::with(&["anna", "bert"]).await;
    let body = json!({
        "name": "  Umbau Halle 3 ", "topic": "Fräse & Drehbank", "invite_users": ["bert", "@anna:hub.local"], "unknown": 1,
    });
    insta::assert_json_snapshot!(app.post("anna", "/api/v1/rooms", &body).await, @r#"
    {
      "status": 201,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "display_name": "Umbau Halle 3",
        "encrypted": false,
        "entity_id": null,
        "entity_type": null,
        "last_message": null,
        "last_message_ts": null,
        "matrix_room_id": "!room2",
        "mention_count": 0,
        "muted": false,
        "read_event_id": null,
        "room_type": "custom",
        "topic": "Fräse & Drehbank",
        "unread_count": 0
      }
    }
    "#);
    let least =
        app.post("anna", "/api/v1/rooms", &json!({ "name": "x", "topic": " ", "invite_users": null })).await;
    assert_eq!((least.status, &least.body["topic"]), (201, &Value::Null));
}

#[tokio::test]
async fn a_chat_is_opened() {
    let app = TestApp::with(&["anna", "Müller/1"]).await;
    let path = format!("/api/v1/rooms/dm/{}", segment("Müller/1"));
    let opened = app.post("anna", &path, &json!({})).await;
    insta::assert_json_snapshot!(opened, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "display_name": "Name von Müller/1",
        "encrypted": false,
        "entity_id": null,
        "entity_type": null,
        "last_message": null,
        "last_message_ts": null,
        "matrix_room_id": "!room2",
        "mention_count": 0,
        "muted": false,
        "read_event_id": null,
        "room_type": "dm",
        "topic": null,
        "unread_count": 0
      }
    }
    "#);
    // A body is not required, and ignored.
    let again = app.wire.call(crate::by("Müller/1", Method::POST, "/api/v1/rooms/dm/anna"), "no JSON").await;
    assert_eq!((again.status, &again.body["display_name"]), (200, &json!("Name von anna")));
    assert_eq!(again.body["matrix_room_id"], opened.body["matrix_room_id"]);
}

#[tokio::test]
async fn the_directory_has_the_rooms_of_entities_and_services() {
    let app = TestApp::with(&["anna"]).await;
    let room = app.machine().await;
    let text = fixtures::machine(0, "x");
    let target = messenger_core::notification::Target::Entity {
        entity_type: "order".to_owned(),
        entity_id: messenger_core::notification::EntityId::Text("A/42 ü".to_owned()),
    };
    app.messenger.send(messenger_core::notification::Draft { target, ..text }, Duration::from_secs(1)).await;
    app.post("anna", &format!("/api/v1/rooms/{room}/join"), &json!({})).await;
    insta::assert_json_snapshot!(app.get("anna", "/api/v1/rooms/directory").await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "rooms": [
          {
            "display_name": "machine 42",
            "entity_id": 42,
            "entity_type": "machine",
            "joined": true,
            "last_message_ts": null,
            "matrix_room_id": "!room2",
            "room_type": "entity",
            "topic": null
          },
          {
            "display_name": "order A/42 ü",
            "entity_id": "A/42 ü",
            "entity_type": "order",
            "joined": false,
            "last_message_ts": null,
            "matrix_room_id": "!room3",
            "room_type": "entity",
            "topic": null
          }
        ]
      }
    }
    "#);
    let ids = async |query: &str| {
        let answer = app.get("anna", &format!("/api/v1/rooms/directory{query}")).await;
        answer.body["rooms"]
            .as_array()
            .expect("rooms")
            .iter()
            .map(|room| room["entity_id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("?entity_type=order").await, [json!("A/42 ü")]);
    assert_eq!(ids("?q=%20MACHINE%20&limit=1").await, [json!(42)]);
    assert_eq!(ids("?limit=1&offset=1").await, [json!("A/42 ü")]);
    for nothing in ["?q=%25", "?q=_", "?entity_type=machin", "?offset=2"] {
        assert_eq!(ids(nothing).await, [] as [Value; 0], "{nothing}");
    }
}

#[tokio::test]
async fn a_room_is_joined_listed_read_and_left() {
    let app = TestApp::with(&["anna", "bert"]).await;
    let room = app.machine().await;
    let path = |what: &str| format!("/api/v1/rooms/{}/{what}", segment(&room));
    insta::assert_json_snapshot!(app.post("anna", &path("join"), &json!({})).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "display_name": "machine 42",
        "encrypted": false,
        "entity_id": 42,
        "entity_type": "machine",
        "last_message": null,
        "last_message_ts": null,
        "matrix_room_id": "!room2",
        "mention_count": 0,
        "muted": false,
        "read_event_id": null,
        "room_type": "entity",
        "topic": null,
        "unread_count": 0
      }
    }
    "#);
    let invited = app.post("anna", &path("invite"), &json!({ "hub_user_id": "@bert:hub.local" })).await;
    insta::assert_json_snapshot!(invited, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "display_name": "Name von bert",
        "hub_user_id": "bert",
        "matrix_user_id": "@bert:hub.local"
      }
    }
    "#);
    // A repetition changes nothing, and a viewer may read the members.
    let again = app.post("anna", &path("invite"), &json!({ "hub_user_id": "bert" })).await;
    assert_eq!((again.status, &again.body), (200, &invited.body));
    insta::assert_json_snapshot!(app.wire.ask(as_one("bert", "viewer", 1, Method::GET, &path("members"))).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": [
        {
          "display_name": "Name von anna",
          "hub_user_id": "anna",
          "matrix_user_id": "@anna:hub.local"
        },
        {
          "display_name": "Name von bert",
          "hub_user_id": "bert",
          "matrix_user_id": "@bert:hub.local"
        }
      ]
    }
    "#);
    insta::assert_json_snapshot!(app.post("anna", &path("read"), &json!({})).await, @r#"
    {
      "status": 204,
      "headers": {},
      "body": ""
    }
    "#);
    insta::assert_json_snapshot!(app.post("anna", &path("leave"), &json!({})).await, @r#"
    {
      "status": 204,
      "headers": {},
      "body": ""
    }
    "#);
    assert_eq!(app.get("anna", &path("members")).await.status, 404);
}

#[tokio::test]
async fn a_room_id_is_opaque() {
    let app = TestApp::with(&["anna", "bert"]).await;
    let unusual = [
        "!a/b:x",
        "!a?b=c:x",
        "!a#b:x",
        "!a%2Fb:x",
        "!noserver",
        "!ä 🏭:x",
        "!a/../b:x",
        "!a+b&c:x",
        "directory",
        "dm",
    ];
    for id in unusual {
        app.adopted(id, &["anna", "bert"]).await;
    }
    for id in unusual {
        let path = |what: &str| format!("/api/v1/rooms/{}/{what}", segment(id));
        let joined = app.post("anna", &path("join"), &json!({})).await;
        assert_eq!((joined.status, &joined.body["matrix_room_id"]), (200, &json!(id)), "{}", joined.body);
        assert_eq!(app.get("anna", &path("members")).await.body.as_array().map(Vec::len), Some(2), "{id}");
        assert_eq!(app.post("anna", &path("read"), &json!({})).await.status, 204, "{id}");
        assert_eq!(app.post("bert", &path("leave"), &json!({})).await.status, 204, "{id}");
    }
}
