//! The log, and one notification of it.

use axum::http::Request;
use messenger_core::notification::Satellite;
use messenger_testkit::fixtures;
use serde_json::json;

use crate::{get, notification, post, send, test_app};

#[tokio::test]
async fn the_log_is_newest_first_with_the_fields_of_the_answer_to_send() {
    let (_messenger, wire) = test_app();
    let first = send(&wire, &json!({})).await.body;
    let second = send(&wire, &json!({ "source_app": "lager" })).await.body;
    let log = wire.ask(get("/api/v1/notifications/log")).await;
    assert_eq!((log.status, &log.body), (200, &json!({ "notifications": [second, first] })));
    assert_eq!(log.all_headers["content-type"], "application/json");
    let one_app = wire.ask(get("/api/v1/notifications/log?source_app=lager&limit=500&offset=0")).await;
    assert_eq!(one_app.body, json!({ "notifications": [second] }));
    let further = wire.ask(get("/api/v1/notifications/log?limit=1&offset=1&colour=red")).await;
    assert_eq!(further.body, json!({ "notifications": [first] }));
    let everything = wire.ask(get("/api/v1/notifications/log?source_app=")).await;
    assert_eq!(everything.body, log.body);
}

#[tokio::test]
async fn a_notification_is_read_with_its_current_status() {
    let (messenger, wire) = test_app();
    let pending = wire.call(post("?wait=0"), notification(&json!({})).to_string()).await.body;
    messenger.work().await;
    let now = wire.ask(get("/api/v1/notifications/1")).await;
    assert_eq!((now.status, &now.body["id"], &now.body["status"]), (200, &pending["id"], &json!("sent")));
    assert_eq!(now.body["matrix_event_id"], "$event1");
}

#[tokio::test]
async fn wrong_parameters_of_the_log_are_named_together() {
    let (_messenger, wire) = test_app();
    let long = "x".repeat(101);
    let path = format!("/api/v1/notifications/log?limit=0&offset=-1&source_app={long}");
    insta::assert_json_snapshot!(wire.ask(get(&path)).await, @r#"
    {
      "status": 422,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "invalid_request",
        "detail": "?source_app: must have at most 100 characters, has 101; ?limit: must be a whole number from 1 to 500, is `0`; ?offset: must be a whole number from 0 to 1000000000, is `-1`",
        "errors": [
          {
            "message": "must have at most 100 characters, has 101",
            "pointer": "?source_app"
          },
          {
            "message": "must be a whole number from 1 to 500, is `0`",
            "pointer": "?limit"
          },
          {
            "message": "must be a whole number from 0 to 1000000000, is `-1`",
            "pointer": "?offset"
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

#[tokio::test]
async fn a_missing_notification_and_one_of_another_tenant_look_the_same() {
    let (messenger, wire) = test_app();
    let other = Satellite { tenant: fixtures::OTHER_TENANT, ..fixtures::satellite() };
    let theirs = messenger
        .notifications()
        .notify(other, fixtures::draft("t"), fixtures::no_wait())
        .await
        .expect("it is accepted");
    let theirs = theirs.notification.id.to_string();
    let missing = wire.ask(get("/api/v1/notifications/999")).await;
    insta::assert_json_snapshot!(missing, @r#"
    {
      "status": 404,
      "headers": {
        "content-type": "application/problem+json"
      },
      "body": {
        "code": "not_found",
        "detail": "notification not found",
        "request_id": "[that of the header]",
        "status": 404,
        "title": "Not Found",
        "type": "urn:messenger-service:problem:not_found"
      }
    }
    "#);
    for id in [theirs.as_str(), "abc", "1.5", "99999999999999999999", "-1"] {
        let answer = wire.ask(get(&format!("/api/v1/notifications/{id}"))).await;
        assert_eq!((answer.status, &answer.body), (404, &missing.body), "{id}");
    }
    assert_eq!(wire.ask(get("/api/v1/notifications/log")).await.body, json!({ "notifications": [] }));
}

#[tokio::test]
async fn reading_needs_the_service_token_too() {
    let (_messenger, wire) = test_app();
    for path in ["/api/v1/notifications/log", "/api/v1/notifications/1"] {
        let missing = wire.ask(Request::get(path)).await;
        assert_eq!((missing.status, &missing.body["code"]), (401, &json!("service_token_missing")));
        let wrong = wire.ask(Request::get(path).header("X-Service-Token", "wrong")).await;
        assert_eq!((wrong.status, &wrong.body["code"]), (403, &json!("service_token_wrong")));
    }
}
