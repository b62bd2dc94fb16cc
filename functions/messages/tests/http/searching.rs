//! `GET /messages/search`.

use axum::http::Method;
use messenger_core::id::MatrixUserId;
use messenger_testkit::fixtures;
use serde_json::json;
use tokio::time::Duration;

use crate::{TestApp, by, segment};

impl TestApp {
    /// Ingests the sent messages.
    async fn reconcile(&self) {
        let lease = self.messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled");
        assert!(lease.is_held());
    }

    /// Returns the texts of the results, with their matches in brackets.
    async fn found(&self, user: &str, query: &str) -> Vec<String> {
        self.reconcile().await;
        let answer = self.get(user, &format!("/api/v1/messages/search?{query}")).await;
        assert_eq!(answer.status, 200, "{query}");
        let messages = answer.body["messages"].as_array().expect("messages").clone();
        let text = |passage: &serde_json::Value| {
            let text = passage["text"].as_str().expect("a text");
            if passage["match"] == true { format!("[{text}]") } else { text.to_owned() }
        };
        let excerpt = |message: &serde_json::Value| {
            message["excerpt"].as_array().expect("an excerpt").iter().map(text).collect()
        };
        messages.iter().map(excerpt).collect()
    }
}

#[tokio::test]
async fn a_result_has_its_place_and_the_words_in_their_text() {
    let app = TestApp::new().await;
    app.send("bert", &json!({ "body": "Hauptspindel getauscht" })).await;
    app.send("bert", &json!({ "body": "Palette fertig" })).await;
    app.reconcile().await;
    insta::assert_json_snapshot!(app.get("anna", "/api/v1/messages/search?q=spindel").await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "messages": [
          {
            "current_room_id": "!room1",
            "event_id": "$event1",
            "excerpt": [
              {
                "match": false,
                "text": "Haupt"
              },
              {
                "match": true,
                "text": "spindel"
              },
              {
                "match": false,
                "text": " getauscht"
              }
            ],
            "room_id": "!room1",
            "sender": "@bert:hub.local",
            "sender_display_name": "Name von bert",
            "timestamp": "2026-01-01T06:00:00.000000Z"
          }
        ],
        "next_before": null
      }
    }
    "#);
}

#[tokio::test]
async fn pages_and_filters_follow_the_query() {
    let app = TestApp::new().await;
    for (user, body) in [("anna", "Spindel 1"), ("bert", "Spindel 2"), ("anna", "Spindel 3")] {
        app.send(user, &json!({ "body": body })).await;
    }
    let all = ["[Spindel] 3", "[Spindel] 2", "[Spindel] 1"];
    assert_eq!(app.found("anna", "q=spindel&colour=red").await, all);
    let page = app.get("anna", "/api/v1/messages/search?q=spindel&limit=2").await.body;
    assert_eq!(page["messages"].as_array().map(Vec::len), Some(2));
    let next = format!("q=spindel&limit=2&before={}", page["next_before"]);
    assert_eq!(app.found("anna", &next).await, all[2..]);
    let bert = segment("@bert:hub.local");
    assert_eq!(app.found("anna", &format!("q=spindel&sender={bert}")).await, all[1..2]);
    assert_eq!(app.found("anna", &format!("q=spindel&room_id={}&sender=", app.room)).await, all);
    assert_eq!(app.found("anna", "q=%22spindel").await, [""; 0]);
}

#[tokio::test]
async fn a_search_finds_edits_files_and_messages_of_other_clients_but_no_notifications() {
    let app = TestApp::new().await;
    let sent = app.send("anna", &json!({ "body": "Fräse" })).await.body["event_id"].clone();
    let path = format!("/api/v1/messages/{}/{}", app.room, segment(sent.as_str().expect("an id")));
    app.wire.call(by("anna", Method::PATCH, &path), json!({ "body": "Spindel, besser" }).to_string()).await;
    assert_eq!(app.found("bert", "q=spindel").await, ["[Spindel], besser"]);
    assert_eq!(app.found("bert", "q=fr%C3%A4se").await, [""; 0]);
    let room = app.room.to_string();
    app.upload(&[
        ("name=\"room_id\"", room.as_bytes()),
        ("name=\"file\"; filename=\"Spindelplan.txt\"", b"Plan".as_slice()),
        ("name=\"body\"", b"siehe hier".as_slice()),
    ])
    .await;
    assert_eq!(app.found("bert", "q=plan+hier").await, ["siehe [hier] Spindel[plan].txt"]);
    let bert = MatrixUserId::new("@bert:hub.local");
    app.messenger.homeserver.send_event(
        &app.room,
        &bert,
        "m.room.message",
        json!({ "msgtype": "m.text", "body": "Spindel aus Element" }),
    );
    assert_eq!(app.found("anna", "q=element").await, ["Spindel aus [Element]"]);
    app.messenger.send(fixtures::draft("Spindel gemeldet"), Duration::from_secs(5)).await;
    app.messenger.work().await;
    assert_eq!(app.history("anna", "?limit=1").await.body["messages"][0]["notification_id"], 1);
    assert_eq!(app.found("anna", "q=gemeldet").await, [""; 0], "it is found as a notification");
    let redact = by("anna", Method::DELETE, &path);
    assert_eq!(app.wire.ask(redact).await.status, 204);
    assert_eq!(app.found("bert", "q=besser").await, [""; 0]);
}

#[tokio::test]
async fn a_room_of_others_is_not_found_and_wrong_parameters_are_named() {
    let app = TestApp::new().await;
    app.send("anna", &json!({ "body": "Spindel" })).await;
    let answer = app.get("anna", "/api/v1/messages/search?q=spindel&room_id=!other").await;
    assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")));
    let long = "x".repeat(201);
    for (query, pointers) in [
        ("", vec!["?q"]),
        ("q=", vec!["?q"]),
        ("q=%20", vec!["?q"]),
        ("q=x", vec!["?q"]),
        ("q=a+b+c", vec!["?q"]),
        ("q=aa+b+c+d+e+f+g+h+i", vec!["?q"]),
        ("q=a%00b", vec!["?q"]),
        (long.as_str(), vec!["?q"]),
        ("q=x&limit=101&before=0", vec!["?before", "?limit", "?q"]),
    ] {
        let query = if query == long { format!("q={query}") } else { query.to_owned() };
        let answer = app.get("anna", &format!("/api/v1/messages/search?{query}")).await;
        assert_eq!(answer.status, 422, "{query}");
        let errors = answer.body["errors"].as_array().expect("errors").clone();
        let mut named: Vec<_> =
            errors.iter().map(|one| one["pointer"].as_str().expect("a pointer")).collect();
        named.sort_unstable();
        assert_eq!(named, pointers, "{query}");
    }
    let short = app.get("anna", "/api/v1/messages/search?q=x").await.body;
    assert_eq!(short["errors"][0]["message"], "must have a word of at least 2 characters");
}
