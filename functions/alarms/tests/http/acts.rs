//! Acts of users.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{TestApp, by};

/// Returns the causes and outcomes of the journal, oldest entry first.
async fn journal(app: &TestApp) -> Vec<String> {
    let answer = app.get("anna", "/api/v1/alarms/1/journal").await;
    let entries = answer.body["entries"].as_array().expect("entries").iter().rev();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |entry: &Value| {
        ["cause", "via", "hub_user_id", "outcome", "reason", "state"].map(|name| text(&entry[name])).join(" ")
    };
    entries.map(line).collect()
}

#[tokio::test]
async fn each_act_is_in_the_journal_with_its_user_and_outcome() {
    let app = TestApp::with(&["anna", "bert"]).await;
    app.report(json!({ "ack_required": true })).await;
    for (user, act, changed, state) in [
        ("anna", "ack", true, "active_ack"),
        ("bert", "ack", false, "active_ack"),
        ("bert", "unack", true, "active_unack"),
        ("bert", "comment", true, "active_unack"),
        ("anna", "resolve", true, "normal"),
        ("bert", "ack", false, "normal"),
    ] {
        let answer = app.post(user, &format!("/api/v1/alarms/1/{act}"), &json!({ "comment": "so" })).await;
        let alarm = &answer.body["alarm"];
        assert_eq!(
            (answer.status, &answer.body["changed"], &alarm["state"]),
            (200, &json!(changed), &json!(state)),
            "{user} {act}"
        );
    }
    insta::assert_snapshot!(journal(&app).await.join("\n"), @"
    trigger satellite - applied - active_unack
    acknowledge api anna applied - active_ack
    acknowledge api bert unchanged - active_ack
    unacknowledge api bert applied - active_unack
    comment api bert applied - active_unack
    resolve api anna applied - normal
    acknowledge api bert ignored no_open_alarm normal
    ");
    let entry = app.get("anna", "/api/v1/alarms/1/journal?limit=1").await.body;
    insta::assert_json_snapshot!(entry, @r#"
    {
      "entries": [
        {
          "at": "2026-01-01T06:00:00.000000Z",
          "cause": "acknowledge",
          "comment": "so",
          "display_name": "Name von bert",
          "episode": 1,
          "hub_user_id": "bert",
          "matrix_event_id": null,
          "notification_id": null,
          "outcome": "ignored",
          "reason": "no_open_alarm",
          "state": "normal",
          "via": "api"
        }
      ],
      "next_cursor": "7.0"
    }
    "#);
}

#[tokio::test]
async fn an_act_may_have_no_body() {
    let app = TestApp::with(&["anna"]).await;
    app.report(json!({ "ack_required": true })).await;
    let answer = app.wire.ask(by("anna", Method::POST, "/api/v1/alarms/1/ack")).await;
    assert_eq!((answer.status, &answer.body["alarm"]["state"]), (200, &json!("active_ack")));
}

#[tokio::test]
async fn an_act_for_an_earlier_episode_or_state_is_refused() {
    let app = TestApp::with(&["anna"]).await;
    app.report(json!({ "ack_required": true })).await;
    app.report(json!({ "event_action": "cancel" })).await;
    app.messenger.pass(std::time::Duration::from_hours(1));
    app.report(json!({ "ack_required": true })).await;
    let alarm = app.get("anna", "/api/v1/alarms/1").await.body;
    assert_eq!((&alarm["episode"], &alarm["revision"]), (&json!(2), &json!(3)));
    for (body, code) in [
        (json!({ "episode": 1 }), "episode_over"),
        (json!({ "episode": 3 }), "episode_over"),
        (json!({ "revision": 2 }), "state_changed"),
    ] {
        let answer = app.post("anna", "/api/v1/alarms/1/ack", &body).await;
        assert_eq!((answer.status, &answer.body["code"]), (409, &json!(code)), "{body}");
    }
    let stale = app.post("anna", "/api/v1/notifications/1/ack", &json!({})).await;
    assert_eq!((stale.status, &stale.body["code"]), (409, &json!("episode_over")), "of the first episode");
    let unacked = app.post("anna", "/api/v1/alarms/1/unack", &json!({})).await;
    assert_eq!((unacked.status, &unacked.body["changed"]), (200, &json!(false)));
    let acked = app.post("anna", "/api/v1/notifications/3/ack", &json!({})).await;
    assert_eq!((acked.status, &acked.body["alarm"]["state"]), (200, &json!("active_ack")));
}

#[tokio::test]
async fn the_alarm_of_a_notification_is_acted_on_by_the_id_of_the_notification() {
    let app = TestApp::with(&["anna"]).await;
    app.report(json!({ "ack_required": true })).await;
    app.report(json!({ "dedup_key": null })).await;
    for (path, status) in [
        ("1/ack", 200),
        ("1/comment", 200),
        ("1/resolve", 200),
        ("2/ack", 404),
        ("9/ack", 404),
        ("x/ack", 404),
    ] {
        let answer =
            app.post("anna", &format!("/api/v1/notifications/{path}"), &json!({ "comment": "so" })).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    assert_eq!(app.get("anna", "/api/v1/alarms/1").await.body["state"], "normal");
}
