//! The inbox of a user.

use axum::http::{Request, request};
use messenger_core::id::TenantId;
use messenger_runtime::testing::{SERVICE_TOKEN, TestResponse, Wire, bearer};
use messenger_testkit::fixtures;
use serde_json::{Value, json};

use crate::{send, test_app};

fn inbox(user: &str, query: &str) -> request::Builder {
    Request::get(format!("/api/v1/notifications/inbox{query}")).header("Authorization", bearer(user))
}

async fn read(wire: &Wire, user: &str, body: &Value) -> TestResponse {
    let request = Request::post("/api/v1/notifications/inbox/read").header("Authorization", bearer(user));
    wire.call(request.header("Content-Type", "application/json"), body.to_string()).await
}

/// Returns the ids of a page.
fn ids(page: &TestResponse) -> Vec<i64> {
    let entries = page.body["notifications"].as_array().expect("a page");
    entries.iter().map(|entry| entry["notification_id"].as_i64().expect("an id")).collect()
}

#[tokio::test]
async fn the_inbox_has_the_fields_of_the_live_event_and_the_state_of_each() {
    let (messenger, wire) = test_app();
    wire.ask(inbox("mueller", "")).await;
    let machine = json!({
        "target_type": "entity_room", "entity_type": "machine", "entity_id": 42, "priority": "urgent", "body": "E-401",
    });
    send(&wire, &machine).await;
    send(&wire, &json!({ "target_type": "dm", "target_user": "schmidt" })).await;
    messenger.work().await;
    insta::assert_json_snapshot!(wire.ask(inbox("mueller", "")).await.body, @r#"
    {
      "next_before": null,
      "notifications": [
        {
          "body": "E-401",
          "created_at": "2026-01-01T06:00:00.000000Z",
          "entity_id": 42,
          "entity_type": "machine",
          "event_type": "notification",
          "matrix_event_id": "$event1",
          "matrix_room_id": "!room1",
          "notification_id": 1,
          "priority": "urgent",
          "read": false,
          "room_id": "!room1",
          "source_app": "fertigungs-app",
          "target_type": "entity_room",
          "title": "Maschine gestoppt"
        }
      ],
      "unread_count": 1
    }
    "#);
}

#[tokio::test]
async fn what_a_user_has_read_counts_on_all_devices_and_for_them_alone() {
    let (_messenger, wire) = test_app();
    for user in ["mueller", "schmidt"] {
        wire.ask(inbox(user, "")).await;
    }
    for _ in 0..3 {
        send(&wire, &json!({})).await;
    }
    let answer = read(&wire, "mueller", &json!({ "up_to": 1 })).await;
    assert_eq!((answer.status, answer.body), (200, json!({ "unread_count": 2 })));
    let answer = read(&wire, "mueller", &json!({ "ids": [3.0, 77, 3] })).await;
    assert_eq!(answer.body, json!({ "unread_count": 1 }));
    let again = read(&wire, "mueller", &json!({ "ids": [3], "up_to": 1 })).await;
    assert_eq!((again.status, again.body), (200, json!({ "unread_count": 1 })));
    let unread = wire.ask(inbox("mueller", "?unread=true")).await;
    assert_eq!((ids(&unread), &unread.body["unread_count"]), (vec![2], &json!(1)));
    assert_eq!(ids(&wire.ask(inbox("mueller", "")).await), [3, 2, 1]);
    let other = wire.ask(inbox("schmidt", "?unread=true")).await;
    assert_eq!((ids(&other), &other.body["unread_count"]), (vec![3, 2, 1], &json!(3)));
}

#[tokio::test]
async fn pages_and_filters_follow_the_query() {
    let (_messenger, wire) = test_app();
    wire.ask(inbox("mueller", "")).await;
    for n in 0..5 {
        let app = if n % 2 == 0 { "mes" } else { "lager" };
        send(&wire, &json!({ "source_app": app })).await;
    }
    let machine = json!({ "target_type": "entity_room", "entity_type": "machine", "entity_id": 42 });
    send(&wire, &machine).await;
    let page = wire.ask(inbox("mueller", "?limit=4")).await;
    assert_eq!((ids(&page), &page.body["next_before"]), (vec![6, 5, 4, 3], &json!(3)));
    let page = wire.ask(inbox("mueller", "?limit=4&before=3&colour=red")).await;
    assert_eq!((ids(&page), &page.body["next_before"]), (vec![2, 1], &json!(null)));
    for (query, expected) in [
        ("?source_app=mes", vec![5, 3, 1]),
        ("?source_app=mes&priority=urgent", vec![]),
        ("?priority=normal&limit=1", vec![6]),
        ("?entity_type=machine&entity_id=42", vec![6]),
        ("?entity_type=machine&entity_id=43", vec![]),
        ("?q=GESTOPPT+masch", vec![6, 5, 4, 3, 2, 1]),
        ("?q=gestoppt&source_app=mes", vec![5, 3, 1]),
        ("?q=gestoppt&limit=1", vec![6]),
        ("?q=gest%25", vec![]),
        ("?q=", vec![6, 5, 4, 3, 2, 1]),
        ("?since=2026-01-01T05:00:00Z", vec![6, 5, 4, 3, 2, 1]),
        ("?since=2036-01-01T06:00:00%2B01:00", vec![]),
        ("?unread=false&source_app=&entity_type=&entity_id=", vec![6, 5, 4, 3, 2, 1]),
    ] {
        assert_eq!(ids(&wire.ask(inbox("mueller", query)).await), expected, "{query}");
    }
}

#[tokio::test]
async fn wrong_requests_name_each_field() {
    let (_messenger, wire) = test_app();
    let query = "?limit=201&before=0&priority=asap&since=noon&unread=perhaps&entity_id=7&q=x";
    let refused = wire.ask(inbox("mueller", query)).await;
    assert_eq!(refused.status, 422);
    let pointers = |answer: &TestResponse| -> Vec<String> {
        let errors = answer.body["errors"].as_array().expect("errors");
        errors.iter().map(|error| error["pointer"].as_str().expect("a pointer").to_owned()).collect()
    };
    let mut named = pointers(&refused);
    named.sort_unstable();
    assert_eq!(named, ["?before", "?entity_type", "?limit", "?priority", "?q", "?since", "?unread"]);
    let half = wire.ask(inbox("mueller", "?entity_type=machine")).await;
    assert_eq!(pointers(&half), ["?entity_id"]);
    for (body, pointer) in [
        (json!({}), "/up_to"),
        (json!({ "up_to": null, "ids": [] }), "/up_to"),
        (json!({ "up_to": "newest" }), "/up_to"),
        (json!({ "ids": 7 }), "/ids"),
        (json!({ "ids": vec![1; 201] }), "/ids"),
        (json!({ "ids": [1, "2"] }), "/ids/1"),
        (json!({ "ids": [1.5] }), "/ids/0"),
        (json!({ "ids": [1], "upTo": 3 }), "/upTo"),
    ] {
        let refused = read(&wire, "mueller", &body).await;
        assert_eq!((refused.status, pointers(&refused)), (422, vec![pointer.to_owned()]), "{body}");
    }
}

#[tokio::test]
async fn nobody_marks_what_is_not_in_their_inbox() {
    let (messenger, wire) = test_app();
    for user in ["mueller", "schmidt"] {
        wire.ask(inbox(user, "")).await;
    }
    let theirs =
        send(&wire, &json!({ "target_type": "dm", "target_user": "schmidt" })).await.body["id"].clone();
    let other = messenger_core::notification::Satellite { tenant: TenantId(2), ..fixtures::satellite() };
    let foreign = messenger.notifications().notify(other, fixtures::draft("t"), fixtures::no_wait()).await;
    let foreign = json!(foreign.expect("accepted").notification.id);
    for id in [theirs, foreign, json!(999), json!(-1)] {
        let refused = read(&wire, "mueller", &json!({ "up_to": id })).await;
        assert_eq!((refused.status, &refused.body["code"]), (404, &json!("not_found")), "{id}");
    }
    assert_eq!(wire.ask(inbox("schmidt", "")).await.body["unread_count"], 1);
}

#[tokio::test]
async fn the_inbox_is_for_users_and_not_for_satellites() {
    let (_messenger, wire) = test_app();
    let satellite = Request::get("/api/v1/notifications/inbox").header("X-Service-Token", SERVICE_TOKEN);
    let refused = wire.ask(satellite).await;
    assert_eq!((refused.status, &refused.body["code"]), (401, &json!("token_missing")));
    let user = Request::get("/api/v1/notifications/log").header("Authorization", bearer("mueller"));
    assert_eq!(wire.ask(user).await.body["code"], "service_token_missing");
}
