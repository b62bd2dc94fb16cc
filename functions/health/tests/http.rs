//! Health, on the wire.

use std::time::Duration;

use axum::http::Request;
use messenger_health::routes;
use messenger_runtime::testing::{TestResponse, Wire};
use messenger_testkit::{TestMessenger, messenger};
use serde_json::json;

fn test_app() -> (TestMessenger, Wire) {
    let messenger = messenger().build();
    let wire = Wire::new(routes(), &messenger);
    (messenger, wire)
}

/// Requests the health without credentials. Replaces the version of the crate.
async fn health(wire: &Wire) -> TestResponse {
    let mut answer = wire.ask(Request::get("/api/v1/health")).await;
    assert_eq!(answer.body["version"].take(), env!("CARGO_PKG_VERSION"));
    answer
}

#[tokio::test]
async fn a_healthy_service_answers_healthy() {
    let (_messenger, wire) = test_app();
    insta::assert_json_snapshot!(health(&wire).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "conduit": "reachable",
        "database": "reachable",
        "service": "messenger-service",
        "status": "healthy",
        "version": null
      }
    }
    "#);
    assert_eq!(wire.ask(Request::head("/api/v1/health")).await.status, 200);
    assert_eq!(wire.ask(Request::post("/api/v1/health")).await.all_headers["allow"], "GET,HEAD");
}

#[tokio::test]
async fn without_the_homeserver_it_is_degraded_and_still_200() {
    let (messenger, wire) = test_app();
    messenger.homeserver.switch_off();
    insta::assert_json_snapshot!(health(&wire).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "conduit": "unreachable",
        "database": "reachable",
        "service": "messenger-service",
        "status": "degraded",
        "version": null
      }
    }
    "#);
}

#[tokio::test]
async fn without_the_database_it_is_unhealthy_and_503() {
    let (messenger, wire) = test_app();
    messenger.memory.switch_off();
    insta::assert_json_snapshot!(health(&wire).await, @r#"
    {
      "status": 503,
      "headers": {
        "content-type": "application/json",
        "retry-after": "2"
      },
      "body": {
        "conduit": "reachable",
        "database": "unreachable",
        "service": "messenger-service",
        "status": "unhealthy",
        "version": null
      }
    }
    "#);
    messenger.memory.switch_on();
    assert_eq!(health(&wire).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_within_a_second_when_the_homeserver_hangs() {
    let (messenger, wire) = test_app();
    messenger.homeserver.delay_requests(Duration::from_hours(1));
    let begun = tokio::time::Instant::now();
    let answer = health(&wire).await;
    assert_eq!(
        (answer.status, &answer.body["status"], &answer.body["conduit"]),
        (200, &json!("degraded"), &json!("unreachable"))
    );
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}
