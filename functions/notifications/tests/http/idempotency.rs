//! Idempotency keys: a repeated call has the effect of one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{notification, post, test_app};

#[tokio::test]
async fn a_repeated_key_returns_the_first_notification_and_a_header() {
    let (messenger, wire) = test_app();
    let body = notification(&json!({})).to_string();
    let first = wire.call(post("").header("Idempotency-Key", "k-1"), body.clone()).await;
    assert_eq!(first.all_headers.get("idempotent-replayed"), None);
    let again = wire.call(post("").header("Idempotency-Key", "k-1"), body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.all_headers["idempotent-replayed"], "true");
    assert_eq!(messenger.homeserver.all_bodies().len(), 1);
}

#[tokio::test]
async fn the_key_may_be_in_the_body_and_the_header_takes_precedence() {
    let (_messenger, wire) = test_app();
    let body = notification(&json!({ "idempotency_key": "in the body" })).to_string();
    let first = wire.call(post(""), body.clone()).await;
    assert_eq!(first.body["warnings"], json!([]));
    let again = wire.call(post(""), body.clone()).await;
    assert_eq!(again.body["id"], first.body["id"]);
    let other = wire.call(post("").header("Idempotency-Key", "in the header"), body).await;
    assert_ne!(other.body["id"], first.body["id"]);
    assert!(!other.all_headers.contains_key("idempotent-replayed"));
}

#[tokio::test]
async fn another_request_with_the_same_key_is_refused() {
    let (_messenger, wire) = test_app();
    wire.call(post("").header("Idempotency-Key", "k"), notification(&json!({})).to_string()).await;
    let other = notification(&json!({ "body": "anders" })).to_string();
    let answer = wire.call(post("").header("Idempotency-Key", "k"), other).await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "idempotency_mismatch",
        "detail": "idempotency_key: this Idempotency-Key was used with another request: use a new key for a new notification",
        "errors": [
          {
            "message": "this Idempotency-Key was used with another request: use a new key for a new notification",
            "pointer": "/idempotency_key"
          }
        ],
        "request_id": "[that of the header]",
        "status": 422,
        "title": "Unprocessable Entity",
        "type": "urn:messenger-service:problem:idempotency_mismatch"
      }
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_still_being_answered_is_in_flight() {
    let (messenger, wire) = test_app();
    messenger.homeserver.delay_requests(Duration::from_secs(4));
    let body = notification(&json!({})).to_string();
    let first = wire.call(post("?wait=7").header("Idempotency-Key", "k"), body.clone());
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        wire.call(post("?wait=7").header("Idempotency-Key", "k"), body.clone()).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.status, 201);
    insta::assert_json_snapshot!(second, @r#"
    {
      "status": 409,
      "headers": {
        "content-type": "application/problem+json",
        "retry-after": "7"
      },
      "body": {
        "code": "idempotency_in_flight",
        "detail": "the first call with this Idempotency-Key has not been answered yet: try again",
        "request_id": "[that of the header]",
        "status": 409,
        "title": "Conflict",
        "type": "urn:messenger-service:problem:idempotency_in_flight"
      }
    }
    "#);
}

#[tokio::test]
async fn a_wrong_key_is_named() {
    let (_messenger, wire) = test_app();
    let long = "x".repeat(256);
    for key in ["ä", &long] {
        let request = post("").header("Idempotency-Key", key.as_bytes());
        let answer = wire.call(request, notification(&json!({})).to_string()).await;
        assert_eq!((answer.status, &answer.body["errors"][0]["pointer"]), (422, &json!("/idempotency_key")));
    }
    let longest = post("").header("Idempotency-Key", &long[..255]);
    assert_eq!(wire.call(longest, notification(&json!({})).to_string()).await.status, 201);
}

#[tokio::test]
async fn the_same_request_in_another_notation_is_the_same_request() {
    let (messenger, wire) = test_app();
    let send = async |body: &str| wire.call(post("").header("Idempotency-Key", "k"), body.to_owned()).await;
    let first = send(
        r#"{"source_app": "a", "event_type": "e", "title": "Ü \u00fc", "target_type": "entity_room",
            "entity_type": "Präge", "entity_id": 42}"#,
    )
    .await;
    assert_eq!(first.status, 201);
    for again in [
        r#"{"entity_id":42.0,"entity_type":" Pr\u0061\u0308ge ","title":"\u00dc ü","event_type":"e","source_app":"a","target_type":"entity_room"}"#,
        r#"{"source_app": "a ", "event_type": "e", "title": "Ü ü", "target_type": "entity_room", "entity_type": "Präge",
            "entity_id": "42", "body": null, "target_user": null, "priority": "normal", "tenant_id": 1e0, "note": 7}"#,
    ] {
        let again = send(again).await;
        assert_eq!((again.status, &again.body["id"]), (201, &first.body["id"]), "{}", again.body);
        assert_eq!(again.all_headers["idempotent-replayed"], "true");
    }
    assert_eq!(messenger.homeserver.all_bodies().len(), 1);
}

#[tokio::test]
async fn a_change_of_any_known_field_makes_another_request() {
    let (_messenger, wire) = test_app();
    let dm = json!({ "target_type": "dm", "target_user": "mueller" });
    let first = notification(&dm).to_string();
    assert_eq!(wire.call(post("").header("Idempotency-Key", "k"), first).await.status, 201);
    for other in [
        json!({ "source_app": "b" }),
        json!({ "event_type": "b" }),
        json!({ "title": "b" }),
        json!({ "body": "" }),
        json!({ "priority": "urgent" }),
        json!({ "target_user": "schmidt" }),
        json!({ "target_type": "general", "target_user": null }),
        json!({ "target_type": "service_room", "target_user": null }),
        json!({ "target_type": "entity_room", "target_user": null, "entity_type": "m", "entity_id": 1 }),
    ] {
        let mut body = notification(&dm);
        body.as_object_mut().expect("an object").extend(other.as_object().expect("an object").clone());
        let answer = wire.call(post("").header("Idempotency-Key", "k"), body.to_string()).await;
        assert_eq!((answer.status, &answer.body["code"]), (422, &json!("idempotency_mismatch")), "{other}");
    }
}

#[tokio::test]
async fn a_blank_key_is_treated_as_absent_and_spaces_around_a_key_do_not_count() {
    let (_messenger, wire) = test_app();
    let send = async |header: Option<&str>, fields: Value| {
        let request = header.map_or_else(|| post(""), |key| post("").header("Idempotency-Key", key));
        wire.call(request, notification(&fields).to_string()).await.body["id"].clone()
    };
    let mut ids = Vec::new();
    for (header, field) in [
        (Some(""), json!(null)),
        (Some("  "), json!(null)),
        (None, json!("")),
        (None, json!(" \n")),
        (None, json!(null)),
    ] {
        ids.push(send(header, json!({ "idempotency_key": field })).await);
    }
    ids.sort_by_key(Value::as_i64);
    ids.dedup();
    assert_eq!(ids.len(), 5, "each is a notification of its own");
    let first = send(Some("k"), json!({})).await;
    for (header, field) in
        [(Some(" k "), json!(null)), (None, json!("k")), (None, json!(" k\n")), (Some(" "), json!("k"))]
    {
        assert_eq!(send(header, json!({ "idempotency_key": field })).await, first, "{header:?} {field}");
    }
}
