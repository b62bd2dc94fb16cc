//! The fields by which a notification is the input of an alarm.

use messenger_runtime::testing::{TestResponse, Wire};
use serde_json::{Value, json};

use crate::{notification, post, test_app};

async fn send(wire: &Wire, body: &Value) -> TestResponse {
    wire.call(post("?wait=0"), body.to_string()).await
}

fn warnings(answer: &TestResponse) -> Vec<String> {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let warnings = answer.body["warnings"].as_array().expect("warnings").iter();
    warnings.map(|warning| warning.as_str().expect("text").to_owned()).collect()
}

/// Returns the fields that an answer names as wrong, with their codes.
fn wrong(answer: &TestResponse) -> Vec<(String, String)> {
    assert_eq!(answer.status, 422, "{}", answer.body);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = answer.body["errors"].as_array().expect("errors").iter();
    errors.map(|error| (text(&error["pointer"]), text(&error["message"]))).collect()
}

#[tokio::test]
async fn an_action_about_an_alarm_names_it() {
    let (_messenger, wire) = test_app();
    for action in ["update", "acknowledge", "resolve", "cancel"] {
        let answer = send(&wire, &notification(&json!({ "event_action": action, "dedup_key": " " }))).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("dedup_key_required")), "{action}");
        assert_eq!(wrong(&answer)[0].0, "/dedup_key");
    }
}

#[tokio::test]
async fn an_end_needs_neither_a_title_nor_a_type() {
    let (_messenger, wire) = test_app();
    for (action, missing) in [
        ("acknowledge", vec![]),
        ("resolve", vec![]),
        ("cancel", vec![]),
        ("trigger", vec!["/event_type", "/title"]),
        ("update", vec!["/event_type", "/title"]),
    ] {
        let body = json!({ "source_app": "mes", "dedup_key": "press-7", "event_action": action });
        let answer = send(&wire, &body).await;
        let named: Vec<_> = match answer.status {
            201 => Vec::new(),
            _ => wrong(&answer).into_iter().map(|(pointer, _)| pointer).collect(),
        };
        assert_eq!(named, missing, "{action}");
    }
}

#[tokio::test]
async fn wrong_values_are_named_with_their_bounds() {
    let (_messenger, wire) = test_app();
    let body = notification(&json!({
        "dedup_key": "x".repeat(256), "event_action": "reopen", "ack_required": "yes", "priority": "asap",
        "ack": { "expires_after_seconds": 59 }, "resolve_after_seconds": 2_592_001, "occurred_at": "gestern",
    }));
    let named = wrong(&send(&wire, &body).await);
    let lines: Vec<_> = named.iter().map(|(pointer, message)| format!("{pointer}: {message}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    /dedup_key: must have at most 255 characters, has 256
    /event_action: must be `trigger`, `update`, `acknowledge`, `resolve` or `cancel`, is `reopen`
    /ack_required: must be `true` or `false`, is `yes`
    /ack/expires_after_seconds: must be a whole number of seconds from 60 to 2592000
    /resolve_after_seconds: must be a whole number of seconds from 60 to 2592000
    /occurred_at: must be a time as in `2026-01-31T12:00:00Z` (RFC 3339); write `+` as `%2B` in a URL
    /priority: must be `low`, `normal`, `high` or `urgent`, is `asap`
    ");
}

#[tokio::test]
async fn misspelt_fields_of_an_alarm_are_refused() {
    let (_messenger, wire) = test_app();
    for (unknown, known) in [
        ("dedupe_key", "dedup_key"),
        ("event_acton", "event_action"),
        ("ackRequired", "ack_required"),
        ("resolve_after_second", "resolve_after_seconds"),
        ("occured_at", "occurred_at"),
    ] {
        let mut body = notification(&json!({}));
        body[unknown] = json!("x");
        let named = wrong(&send(&wire, &body).await);
        let expected = (format!("/{unknown}"), format!("is unknown: did you mean `{known}`?"));
        assert_eq!(named, [expected], "{unknown}");
    }
}

#[tokio::test]
async fn fields_without_effect_are_named() {
    let (_messenger, wire) = test_app();
    let plain = notification(&json!({
        "ack": { "expires_after_seconds": 60 }, "resolve_after_seconds": 60, "occurred_at": "2026-01-01T06:00:00Z",
    }));
    insta::assert_snapshot!(warnings(&send(&wire, &plain).await).join("\n"), @r"
    the field `ack` has no effect without `dedup_key` or `ack_required`
    the field `resolve_after_seconds` has no effect without `dedup_key` or `ack_required`
    the field `occurred_at` has no effect without `dedup_key` or `ack_required`
    ");
    let keyed =
        notification(&json!({ "dedup_key": "1", "ack": { "expires_after_seconds": 60, "policy": "x" } }));
    insta::assert_snapshot!(warnings(&send(&wire, &keyed).await).join("\n"), @r"
    the field `ack.policy` is unknown and was ignored
    the field `ack` has no effect without `ack_required`
    ");
    let resolve = notification(&json!({
        "dedup_key": "1", "event_action": "resolve", "ack_required": true, "resolve_after_seconds": 60,
    }));
    insta::assert_snapshot!(warnings(&send(&wire, &resolve).await).join("\n"), @r"
    the field `ack_required` has no effect with the event action `resolve`
    the field `resolve_after_seconds` has no effect with the event action `resolve`
    ");
}

#[tokio::test]
async fn another_target_and_a_wrong_clock_are_named() {
    let (_messenger, wire) = test_app();
    let trigger = |fields: Value| {
        let mut body = notification(&json!({ "dedup_key": "1" }));
        body.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        body
    };
    assert_eq!(warnings(&send(&wire, &trigger(json!({}))).await), [""; 0]);
    let other = send(&wire, &trigger(json!({ "target_type": "service_room" }))).await;
    assert!(warnings(&other)[0].starts_with("the alarm has another target"));
    assert_eq!(other.body["alarm"]["occurrences"], 2);
    for (occurred_at, part) in [
        ("2026-01-01T06:10:00Z", "10 minutes in the future"),
        ("2026-01-01T05:00:00Z", "60 minutes in the past"),
    ] {
        let answer = send(&wire, &trigger(json!({ "occurred_at": occurred_at }))).await;
        assert!(warnings(&answer)[0].contains(part), "{occurred_at}: {}", answer.body);
    }
}

#[tokio::test]
async fn keys_are_compared_in_their_normal_form() {
    let (_messenger, wire) = test_app();
    for (n, key) in ["Öl", " O\u{308}l "].into_iter().enumerate() {
        let answer = send(&wire, &notification(&json!({ "dedup_key": key }))).await;
        assert_eq!(answer.body["alarm"]["occurrences"], n + 1, "{key:?}: {}", answer.body);
    }
    let other = send(&wire, &notification(&json!({ "dedup_key": "Öl", "source_app": "mes" }))).await;
    assert_eq!(other.body["alarm"]["occurrences"], 1, "another application has alarms of its own");
}

#[tokio::test]
async fn each_priority_is_accepted() {
    let (messenger, wire) = test_app();
    for priority in ["low", "normal", "high", "urgent"] {
        let answer = send(&wire, &notification(&json!({ "priority": priority }))).await;
        assert_eq!((answer.status, &answer.body["priority"]), (201, &json!(priority)));
    }
    messenger.work().await;
    let room = messenger.homeserver.rooms().remove(0);
    let messages = messenger.homeserver.messages(&room).into_iter();
    let forms: Vec<_> = messages
        .map(|message| (message.content["msgtype"].clone(), message.content["m.mentions"].clone()))
        .collect();
    assert_eq!(
        forms,
        [
            (json!("m.notice"), json!({})),
            (json!("m.text"), json!({})),
            (json!("m.text"), json!({ "room": true })),
            (json!("m.text"), json!({ "room": true })),
        ]
    );
}
