//! Answers to correct requests.

use messenger_core::id::TenantId;
use serde_json::{Value, json};

use crate::{notification, post, send, test_app};

#[tokio::test]
async fn a_sent_notification_is_answered_with_each_field_of_the_contract() {
    let (_messenger, wire) = test_app();
    let answer = send(&wire, &json!({ "body": "Fehlercode E-401" })).await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "status": 201,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "attempts": 0,
        "body": "Fehlercode E-401",
        "created_at": "2026-01-01T06:00:00.000000Z",
        "entity_id": null,
        "entity_type": null,
        "event_type": "notification",
        "expires_at": null,
        "id": 1,
        "matrix_event_id": "$event1",
        "matrix_room_id": "!room1",
        "next_attempt_at": null,
        "priority": "normal",
        "reason": null,
        "source_app": "fertigungs-app",
        "status": "sent",
        "target_type": "general",
        "target_user": null,
        "tenant_id": 1,
        "title": "Maschine gestoppt",
        "warnings": []
      }
    }
    "#);
}

#[tokio::test]
async fn each_target_is_returned_and_has_a_room() {
    let (messenger, wire) = test_app();
    messenger.caller("mueller", TenantId(1)).await;
    messenger.work().await;
    let targets = [
        json!({ "target_type": "general", "entity_type": null, "entity_id": null, "target_user": null }),
        json!({ "target_type": "entity_room", "entity_type": "machine", "entity_id": 0 }),
        json!({ "target_type": "entity_room", "entity_type": "machine", "entity_id": "CNC-01" }),
        json!({ "target_type": "service_room" }),
        json!({ "target_type": "dm", "target_user": "mueller", "priority": "urgent" }),
    ];
    let mut lines = Vec::new();
    for target in &targets {
        let body = send(&wire, target).await.body;
        let fields = [
            "target_type",
            "entity_type",
            "entity_id",
            "target_user",
            "priority",
            "status",
            "matrix_room_id",
        ];
        lines.push(fields.map(|field| body[field].to_string()).join(" "));
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    "general" null null null "normal" "sent" "!room1"
    "entity_room" "machine" 0 null "normal" "sent" "!room2"
    "entity_room" "machine" "CNC-01" null "normal" "sent" "!room3"
    "service_room" null null null "normal" "sent" "!room4"
    "dm" null null "mueller" "urgent" "sent" "!room5"
    "#);
}

#[tokio::test]
async fn a_direct_message_to_an_unknown_user_is_held() {
    let (_messenger, wire) = test_app();
    let answer = send(&wire, &json!({ "target_type": "dm", "target_user": "neu" })).await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "status": 201,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "attempts": 0,
        "body": null,
        "created_at": "2026-01-01T06:00:00.000000Z",
        "entity_id": null,
        "entity_type": null,
        "event_type": "notification",
        "expires_at": "2026-01-08T06:00:00.000000Z",
        "id": 1,
        "matrix_event_id": null,
        "matrix_room_id": null,
        "next_attempt_at": null,
        "priority": "normal",
        "reason": "recipient_not_provisioned",
        "source_app": "fertigungs-app",
        "status": "pending",
        "target_type": "dm",
        "target_user": "neu",
        "tenant_id": 1,
        "title": "Maschine gestoppt",
        "warnings": []
      }
    }
    "#);
}

#[tokio::test]
async fn without_the_homeserver_it_is_accepted_and_pending() {
    let (messenger, wire) = test_app();
    messenger.homeserver.switch_off();
    let mut answer = send(&wire, &json!({})).await;
    let next = answer.body["next_attempt_at"].take();
    assert!(next.as_str().is_some_and(|at| at > "2026-01-01T06:00:00" && at.ends_with('Z')), "{next}");
    insta::assert_json_snapshot!(answer, @r#"
    {
      "status": 201,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "attempts": 1,
        "body": null,
        "created_at": "2026-01-01T06:00:00.000000Z",
        "entity_id": null,
        "entity_type": null,
        "event_type": "notification",
        "expires_at": null,
        "id": 1,
        "matrix_event_id": null,
        "matrix_room_id": null,
        "next_attempt_at": null,
        "priority": "normal",
        "reason": "homeserver_unavailable",
        "source_app": "fertigungs-app",
        "status": "pending",
        "target_type": "general",
        "target_user": null,
        "tenant_id": 1,
        "title": "Maschine gestoppt",
        "warnings": []
      }
    }
    "#);
}

#[tokio::test]
async fn a_notification_that_the_homeserver_rejects_has_failed() {
    let (messenger, wire) = test_app();
    messenger.homeserver.reject("gestoppt");
    let answer = send(&wire, &json!({})).await;
    assert_eq!(answer.status, 201);
    assert_eq!(
        (&answer.body["status"], &answer.body["reason"]),
        (&json!("failed"), &json!("refused_by_homeserver"))
    );
}

#[tokio::test]
async fn a_caller_that_does_not_wait_is_answered_before_the_homeserver_is_called() {
    let (messenger, wire) = test_app();
    let body = notification(&json!({})).to_string();
    let answer = wire.call(post("?wait=0"), body).await;
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("pending")));
    assert_eq!((&answer.body["reason"], messenger.homeserver.calls()), (&Value::Null, 0));
}

#[tokio::test(start_paused = true)]
async fn no_caller_waits_longer_than_requested() {
    let (messenger, wire) = test_app();
    messenger.homeserver.delay_requests(std::time::Duration::from_mins(1));
    for (query, most) in [("", 3000), ("?wait=0.5", 500), ("?wait=10", 10_000)] {
        let begun = tokio::time::Instant::now();
        let fields = json!({ "target_type": "service_room", "source_app": format!("app{query}") });
        let answer = wire.call(post(query), notification(&fields).to_string()).await;
        assert_eq!((answer.status, &answer.body["status"]), (201, &json!("pending")), "{}", answer.body);
        assert_eq!(begun.elapsed().as_millis(), most, "{query}");
    }
}

#[tokio::test]
async fn an_unknown_field_is_ignored_and_named() {
    let (_messenger, wire) = test_app();
    let answer = send(&wire, &json!({ "colour": "red", "Title": null, "tenant_id": 1 })).await;
    assert_eq!(answer.status, 201);
    insta::assert_json_snapshot!(answer.body["warnings"], @r#"
    [
      "the field `Title` is unknown and was ignored",
      "the field `colour` is unknown and was ignored"
    ]
    "#);
}

#[tokio::test]
async fn fields_of_the_largest_length_are_accepted_completely() {
    let (_messenger, wire) = test_app();
    let fields = json!({
        "source_app": "ä".repeat(100), "event_type": "ö".repeat(100), "title": "ü".repeat(500),
        "body": "\u{1f4a5}".repeat(20_000), "target_type": "entity_room", "entity_type": "é".repeat(100),
        "entity_id": i64::MIN,
    });
    let answer = send(&wire, &fields).await;
    assert_eq!((answer.status, &answer.body["status"]), (201, &json!("sent")), "{}", answer.body);
    for (field, value) in fields.as_object().expect("an object") {
        assert_eq!(&answer.body[field], value, "{field}");
    }
}

#[tokio::test]
async fn json_may_have_any_of_its_media_types() {
    let (_messenger, wire) = test_app();
    let body = notification(&json!({})).to_string();
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.hub.v1+json"] {
        let mut request = post("");
        request.headers_mut().expect("headers").insert("content-type", kind.parse().expect("a header"));
        assert_eq!(wire.call(request, body.clone()).await.status, 201, "{kind}");
    }
    let mut without = post("");
    without.headers_mut().expect("headers").remove("content-type");
    assert_eq!(wire.call(without, body).await.status, 201);
}
