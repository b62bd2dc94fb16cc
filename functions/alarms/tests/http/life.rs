//! The whole life of a fault.

use messenger_core::event::Kind;
use serde_json::{Value, json};

use crate::TestApp;

#[tokio::test]
async fn a_fault_has_one_alarm_from_its_first_trigger_to_its_end() {
    let app = TestApp::with(&["mueller"]).await;
    let required = json!({
        "ack_required": true, "priority": "high", "body": "2,1 bar",
        "target_type": "entity_room", "entity_type": "machine", "entity_id": 7,
    });
    let first = app.report(required.clone()).await.body;
    assert_eq!((&first["status"], &first["alarm"]["deduplicated"]), (&json!("pending"), &json!(false)));
    app.messenger.work().await;
    let second = app.report(required).await.body;
    insta::assert_json_snapshot!(second["alarm"], @r#"
    {
      "ack_required": true,
      "acked_by": null,
      "dedup_key": "press-7",
      "deduplicated": true,
      "episode": 1,
      "id": 1,
      "occurrences": 2,
      "state": "active_unack"
    }
    "#);
    let path = "/api/v1/alarms/1";
    insta::assert_json_snapshot!(app.get("mueller", path).await.body, @r#"
    {
      "ack_required": true,
      "acked_by": null,
      "active_since": "2026-01-01T06:00:00.000000Z",
      "body": "2,1 bar",
      "chattering": false,
      "cleared": null,
      "closed_unseen": false,
      "dedup_key": "press-7",
      "ended_at": null,
      "entity_id": 7,
      "entity_type": "machine",
      "episode": 1,
      "event_type": "alarm",
      "id": 1,
      "last_occurred_at": "2026-01-01T06:00:00.000000Z",
      "notification_id": 1,
      "occurrences": 2,
      "priority": "high",
      "resolve_at": null,
      "revision": 2,
      "room_id": "!room2",
      "source_app": "fertigungs-app",
      "stale": false,
      "started_at": "2026-01-01T06:00:00.000000Z",
      "state": "active_unack",
      "target_type": "entity_room",
      "target_user": null,
      "title": "Öldruck"
    }
    "#);
    let acked =
        app.post("mueller", "/api/v1/alarms/1/ack", &json!({ "episode": 1, "comment": "schaue nach" })).await;
    assert_eq!((acked.status, &acked.body["changed"]), (200, &json!(true)));
    let alarm = &acked.body["alarm"];
    assert_eq!((&alarm["state"], &alarm["revision"]), (&json!("active_ack"), &json!(3)));
    insta::assert_json_snapshot!(alarm["acked_by"], @r#"
    {
      "at": "2026-01-01T06:00:00.000000Z",
      "comment": "schaue nach",
      "display_name": "Name von mueller",
      "expires_at": null,
      "hub_user_id": "mueller",
      "via": "api"
    }
    "#);
    let body = json!({ "source_app": "fertigungs-app", "dedup_key": "press-7", "event_action": "resolve" });
    let resolved = app.send(&body).await.body;
    assert_eq!((&resolved["title"], &resolved["event_type"]), (&json!("press-7"), &json!("resolve")));
    assert_eq!(resolved["alarm"]["state"], "normal");
    let ended = app.get("mueller", path).await.body;
    assert_eq!((&ended["state"], &ended["cleared"]["by"]), (&json!("normal"), &json!("satellite")));
    assert_eq!(ended["ended_at"], "2026-01-01T06:00:00.000000Z");
}

#[tokio::test]
async fn each_change_is_published_and_an_episode_is_announced_once() {
    let app = TestApp::with(&["mueller"]).await;
    for _ in 0..3 {
        app.report(json!({ "ack_required": true })).await;
    }
    app.post("mueller", "/api/v1/alarms/1/ack", &json!({})).await;
    let announced = app.events(Kind::Notification.as_str());
    assert_eq!(announced.len(), 1);
    assert_eq!((&announced[0]["notification_id"], &announced[0]["alarm_id"]), (&json!(1), &json!(1)));
    let published = app.events(Kind::Alarm.as_str());
    let states: Vec<_> = published.iter().map(|event| event["alarm"]["state"].clone()).collect();
    assert_eq!(states, ["active_unack", "active_ack"], "counters of the same second are collected");
    let last = published.last().expect("an event")["alarm"].clone();
    assert_eq!(last, app.get("mueller", "/api/v1/alarms/1").await.body, "the event has the alarm");
    let inbox = app.get("mueller", "/api/v1/notifications/inbox").await.body;
    assert_eq!(inbox["notifications"].as_array().map(Vec::len), Some(1), "repetitions are not in the inbox");
}

#[tokio::test]
async fn a_first_trigger_waits_for_its_message_and_a_repetition_does_not() {
    let app = TestApp::with(&[]).await;
    let _worker = app.messenger.run_worker();
    let body = json!({ "source_app": "mes", "event_type": "alarm", "title": "Öldruck", "dedup_key": "1" });
    let request = || {
        axum::http::Request::post("/api/v1/notifications/send?wait=10")
            .header("X-Service-Token", messenger_runtime::testing::SERVICE_TOKEN)
    };
    let first = app.wire.call(request(), body.to_string()).await.body;
    assert_eq!((&first["status"], first["matrix_event_id"].is_string()), (&json!("sent"), true));
    let again = app.wire.call(request(), body.to_string()).await.body;
    assert_eq!((&again["status"], &again["alarm"]["occurrences"]), (&json!("pending"), &json!(2)));
}

#[tokio::test]
async fn an_input_without_an_open_alarm_is_ignored() {
    let app = TestApp::with(&["mueller"]).await;
    for action in ["update", "acknowledge", "resolve", "cancel"] {
        let answer = app.report(json!({ "event_action": action })).await.body;
        assert_eq!(
            (&answer["status"], &answer["reason"]),
            (&json!("ignored"), &json!("no_open_alarm")),
            "{action}"
        );
        let alarm = &answer["alarm"];
        assert_eq!((&alarm["state"], &alarm["episode"]), (&json!("normal"), &json!(0)), "{action}");
    }
    assert_eq!(app.get("mueller", "/api/v1/alarms").await.body["alarms"], json!([]));
    assert_eq!(app.get("mueller", "/api/v1/alarms/1").await.status, 404);
}

#[tokio::test]
async fn an_alarm_without_a_key_has_one_of_its_own() {
    let app = TestApp::with(&["mueller"]).await;
    let one = app.report(json!({ "dedup_key": null, "ack_required": true })).await.body["alarm"].clone();
    let other = app.report(json!({ "dedup_key": null, "ack_required": true })).await.body["alarm"].clone();
    assert_eq!((&one["dedup_key"], &other["dedup_key"]), (&json!("n:1"), &json!("n:2")));
    assert_ne!(one["id"], other["id"]);
    let plain = app.report(json!({ "dedup_key": null })).await.body;
    assert_eq!(plain.get("alarm"), None, "it stands for itself");
}

#[tokio::test]
async fn a_repeated_call_with_its_idempotency_key_counts_once() {
    let app = TestApp::with(&[]).await;
    let fields = json!({ "idempotency_key": "k" });
    let first = app.report(fields.clone()).await.body;
    let again = app.report(fields).await;
    assert_eq!(again.all_headers.get("Idempotent-Replayed").map(|value| value == "true"), Some(true));
    assert_eq!((&again.body["id"], &again.body["alarm"]["occurrences"]), (&first["id"], &json!(1)));
    let other: Value = json!({
        "source_app": "fertigungs-app", "event_type": "alarm", "title": "Öldruck", "dedup_key": "press-8",
        "idempotency_key": "k",
    });
    let request = axum::http::Request::post("/api/v1/notifications/send?wait=0")
        .header("X-Service-Token", messenger_runtime::testing::SERVICE_TOKEN);
    let refused = app.wire.call(request, other.to_string()).await;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("idempotency_mismatch")));
}
