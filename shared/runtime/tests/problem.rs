//! Every error of the service as an answer: status, headers and detail.

use std::time::Duration;

use axum::{Router, extract::Path, routing::get};
use http::Request;
use messenger_core::{
    Error,
    error::{Failure, System},
};
use messenger_runtime::{ApiError, App, testing::Wire};
use messenger_testkit::{TestMessenger, messenger};
use serde_json::json;

const SYSTEMS: [System; 2] = [System::Database, System::Homeserver];
const FAILURES: [Failure; 5] = [
    Failure::Unreachable,
    Failure::TimedOut,
    Failure::Limited(Duration::from_millis(4200)),
    Failure::Broken,
    Failure::Rejected,
];
/// A cause, which must never reach a caller.
const CAUSE: &str = "select secret from users";

/// Routes that fail: `/fault/{system}/{failure}` with a fault, `/busy` and `/later` with `Retry-After`.
fn routes() -> Router<App> {
    let fault = |Path((system, failure)): Path<(usize, usize)>| async move {
        ApiError::from(Error::fault(SYSTEMS[system], FAILURES[failure], "storing a notification", CAUSE))
    };
    let internal = || async { ApiError::from(Error::internal("signing a token", CAUSE)) };
    let busy = || async { ApiError::from(Error::Busy { retry_after: Duration::ZERO }) };
    let later = || async {
        let retry_after = Some(Duration::from_millis(1001));
        ApiError::from(Error::Conflict { code: "locked", detail: "it is locked".into(), retry_after })
    };
    let never = || async {
        ApiError::from(Error::Conflict { code: "closed", detail: "it is closed".into(), retry_after: None })
    };
    Router::new()
        .route("/fault/{system}/{failure}", get(fault))
        .route("/internal", get(internal))
        .route("/busy", get(busy))
        .route("/later", get(later))
        .route("/never", get(never))
}

fn test_app() -> (TestMessenger, Wire) {
    let messenger = messenger().build();
    let wire = Wire::new(routes(), &messenger);
    (messenger, wire)
}

/// Returns status, `Retry-After`, code and detail in one line.
async fn line(wire: &Wire, path: &str) -> String {
    let answer = wire.ask(Request::get(path)).await;
    assert_eq!(answer.all_headers["content-type"], "application/problem+json");
    assert_eq!(answer.body["status"], answer.status);
    let after = answer.all_headers.get("retry-after").map_or("-", |after| after.to_str().unwrap_or_default());
    format!("{} {after} {} {}", answer.status, answer.body["code"], answer.body["detail"])
}

#[tokio::test]
async fn each_fault_has_its_status_and_answers_hide_the_cause() {
    let (_messenger, wire) = test_app();
    let mut lines = Vec::new();
    for (system, name) in SYSTEMS.iter().enumerate() {
        for (failure, kind) in FAILURES.iter().enumerate() {
            let text = line(&wire, &format!("/fault/{system}/{failure}")).await;
            assert!(!text.contains("secret"), "{text}");
            lines.push(format!("{name:?} {kind:?}\n  {text}"));
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Database Unreachable
      503 2 "database_unavailable" "the database cannot be reached: try again later"
    Database TimedOut
      503 2 "database_unavailable" "the database cannot be reached: try again later"
    Database Limited(4.2s)
      503 5 "database_unavailable" "the database cannot be reached: try again later"
    Database Broken
      500 - "internal_error" "something went wrong here: report the request_id"
    Database Rejected
      500 - "internal_error" "something went wrong here: report the request_id"
    Homeserver Unreachable
      503 2 "homeserver_unavailable" "the homeserver could not be reached while storing a notification: try again later"
    Homeserver TimedOut
      504 2 "homeserver_timeout" "the homeserver did not answer in time while storing a notification: try again later"
    Homeserver Limited(4.2s)
      503 5 "homeserver_unavailable" "the homeserver asked us to slow down while storing a notification: try again later"
    Homeserver Broken
      502 - "homeserver_error" "the homeserver failed while storing a notification: try again later"
    Homeserver Rejected
      502 - "homeserver_error" "the homeserver refused while storing a notification: try again later"
    "#);
}

#[tokio::test]
async fn an_internal_error_is_a_500_without_its_cause() {
    let (_messenger, wire) = test_app();
    assert_eq!(
        line(&wire, "/internal").await,
        r#"500 - "internal_error" "something went wrong here: report the request_id""#
    );
}

#[tokio::test]
async fn retry_after_is_in_whole_seconds_and_at_least_one() {
    let (_messenger, wire) = test_app();
    let lines = [line(&wire, "/busy").await, line(&wire, "/later").await, line(&wire, "/never").await];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    429 1 "rate_limited" "too many requests"
    409 2 "locked" "it is locked"
    409 - "closed" "it is closed"
    "#);
}

#[tokio::test]
async fn an_answer_has_the_well_formed_request_id_of_its_client() {
    let (_messenger, wire) = test_app();
    for id in ["a", "satellite-4711_A.b", &"x".repeat(64)] {
        let answer = wire.ask(Request::get("/nowhere").header("X-Request-Id", id)).await;
        assert_eq!(answer.all_headers["x-request-id"], id);
        assert_eq!(answer.body["request_id"], "[that of the header]");
    }
}

#[tokio::test]
async fn an_answer_has_a_new_request_id_instead_of_one_that_is_not_well_formed() {
    let (_messenger, wire) = test_app();
    for id in ["", "a b", "a=b", &"x".repeat(65)] {
        let answer = wire.ask(Request::get("/livez").header("X-Request-Id", id)).await;
        let new = answer.all_headers["x-request-id"].to_str().unwrap_or_default();
        assert!(new != id && new.len() == 32, "{new}");
    }
}

#[tokio::test]
async fn each_answer_has_a_request_id_of_its_own() {
    let (_messenger, wire) = test_app();
    let mut ids = Vec::new();
    for path in ["/livez", "/livez", "/nowhere"] {
        let answer = wire.ask(Request::get(path)).await;
        ids.push(answer.all_headers["x-request-id"].to_str().unwrap_or_default().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(
        ids.iter().all(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())),
        "{ids:?}"
    );
}

#[tokio::test]
async fn probes_answer_whether_the_process_runs_and_reaches_the_database() {
    let (messenger, wire) = test_app();
    for path in ["/livez", "/readyz"] {
        assert_eq!(wire.ask(Request::get(path)).await.status, 200);
    }
    messenger.homeserver.switch_off();
    assert_eq!(
        wire.ask(Request::get("/readyz")).await.status,
        200,
        "the service works without the homeserver"
    );
    messenger.memory.switch_off();
    let answer = wire.ask(Request::get("/livez")).await;
    assert_eq!((answer.status, answer.body), (200, json!("alive")));
    insta::assert_json_snapshot!(wire.ask(Request::get("/readyz")).await, @r#"
    {
      "status": 503,
      "headers": {
        "content-type": "application/problem+json",
        "retry-after": "2"
      },
      "body": {
        "code": "database_unavailable",
        "detail": "the database cannot be reached: try again later",
        "parts": [
          {
            "detail": "the database could not be reached while reading the event log",
            "part": "database",
            "ready": false,
            "required": true,
            "since": "2026-01-01T06:00:00.000000Z"
          },
          {
            "part": "homeserver",
            "ready": true,
            "required": false
          }
        ],
        "request_id": "[that of the header]",
        "status": 503,
        "title": "Service Unavailable",
        "type": "urn:messenger-service:problem:database_unavailable"
      }
    }
    "#);
}

#[tokio::test]
async fn an_answer_of_an_upstream_keeps_its_request_id() {
    let messenger = messenger().build();
    let elsewhere = || async { ([("X-Request-Id", "theirs")], "from elsewhere") };
    let routes = Router::new().route("/elsewhere", get(elsewhere));
    let wire = Wire::new(routes, &messenger);
    assert_eq!(wire.ask(Request::get("/elsewhere")).await.all_headers["x-request-id"], "theirs");
}
