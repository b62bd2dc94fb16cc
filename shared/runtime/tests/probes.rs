//! `/livez` and `/readyz`: which part of a process is not ready, and since when.

use std::time::Duration;

use axum::Router;
use http::Request;
use messenger_runtime::{
    App, Program,
    testing::{Log, TestResponse, Wire, config},
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::{Value, json};
use tracing::Level;

/// Returns a program on in-memory ports.
fn test_app(of: impl FnOnce(Program) -> Program) -> (TestMessenger, App, Wire) {
    let messenger = messenger().build();
    let app = App::with(&(&messenger).into(), config(&[])).of_program(of(Program::default()));
    let wire = Wire::of(Router::new(), &app);
    (messenger, app, wire)
}

async fn ready(wire: &Wire) -> TestResponse {
    wire.ask(Request::get("/readyz")).await
}

/// Returns the part with this name.
fn part(response: &TestResponse, name: &str) -> Value {
    let mut parts = response.body["parts"].as_array().into_iter().flatten();
    parts.find(|part| part["part"] == name).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_function_that_is_ready_lists_its_parts() {
    let (_messenger, _app, wire) = test_app(|program| program);
    insta::assert_json_snapshot!(ready(&wire).await, @r#"
    {
      "status": 200,
      "headers": {
        "content-type": "application/json"
      },
      "body": {
        "parts": [
          {
            "part": "database",
            "ready": true,
            "required": true
          },
          {
            "part": "homeserver",
            "ready": true,
            "required": false
          }
        ],
        "status": "ready"
      }
    }
    "#);
}

#[tokio::test]
async fn a_part_names_the_time_of_the_first_probe_that_found_it_failing() {
    let (messenger, _app, wire) = test_app(|program| program);
    messenger.memory.switch_off();
    let first = part(&ready(&wire).await, "database");
    assert_eq!(first["since"], "2026-01-01T06:00:00.000000Z");
    messenger.pass(Duration::from_secs(90));
    let later = ready(&wire).await;
    assert_eq!((later.status, &later.body["code"]), (503, &json!("database_unavailable")));
    assert_eq!(part(&later, "database"), first, "it fails since then");
    messenger.memory.switch_on();
    assert_eq!(part(&ready(&wire).await, "database").get("since"), None);
    messenger.memory.switch_off();
    assert_eq!(part(&ready(&wire).await, "database")["since"], "2026-01-01T06:01:30.000000Z");
}

#[tokio::test]
async fn a_part_that_fails_is_one_failure_in_the_log_however_often_it_is_probed() {
    let (log, _guard) = Log::collect(Level::INFO);
    let (messenger, _app, wire) = test_app(|program| program);
    for _ in 0..2 {
        messenger.memory.switch_off();
        for _ in 0..3 {
            assert_eq!(ready(&wire).await.status, 503);
        }
        messenger.memory.switch_on();
        assert_eq!(ready(&wire).await.status, 200);
    }
    let counts = ["request failed", "request refused"].map(|line| log.lines_with(line).len());
    assert_eq!(counts, [2, 4], "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_function_is_ready_without_the_homeserver_and_reports_it_if_it_needs_one() {
    let (messenger, _app, wire) = test_app(|program| program);
    messenger.homeserver.switch_off();
    let answer = ready(&wire).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("ready")));
    let homeserver = part(&answer, "homeserver");
    assert_eq!((&homeserver["ready"], &homeserver["required"]), (&json!(false), &json!(false)));
    assert_eq!(homeserver["since"], "2026-01-01T06:00:00.000000Z");
    messenger.homeserver.switch_on();
    tokio::time::advance(Duration::from_secs(3)).await;
    assert_eq!(part(&ready(&wire).await, "homeserver")["ready"], true);
    let (_messenger, _app, wire) = test_app(Program::without_homeserver);
    assert_eq!(part(&ready(&wire).await, "homeserver"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_answered_within_a_second_when_the_homeserver_hangs() {
    let (messenger, _app, wire) = test_app(|program| program);
    messenger.homeserver.delay_requests(Duration::from_hours(1));
    let begun = tokio::time::Instant::now();
    let answers = tokio::join!(ready(&wire), ready(&wire));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    for answer in [answers.0, answers.1] {
        assert_eq!((answer.status, &part(&answer, "homeserver")["ready"]), (200, &json!(false)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_behind_the_event_log_makes_its_process_unready() {
    let (messenger, app, wire) = test_app(Program::without_homeserver);
    assert_eq!(part(&ready(&wire).await, "events"), Value::Null, "nobody reads events yet");
    app.with_broker();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(part(&ready(&wire).await, "events")["ready"], true);
    messenger.memory.switch_off();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let answer = ready(&wire).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("database_unavailable")));
    let events = part(&answer, "events");
    assert_eq!((&events["ready"], &events["required"]), (&json!(false), &json!(true)));
    assert!(events["since_caught_up_seconds"].as_u64() >= Some(59), "{events}");
    messenger.memory.switch_on();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(ready(&wire).await.status, 200);
}

#[tokio::test]
async fn a_worker_is_ready_after_its_setup() {
    let (_messenger, app, wire) = test_app(Program::worker);
    let answer = ready(&wire).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("not_ready")));
    assert_eq!(answer.body["detail"], "the worker has not migrated the database yet");
    app.set_up();
    let answer = ready(&wire).await;
    assert_eq!(answer.status, 200);
    let names = answer.body["parts"].as_array().into_iter().flatten().map(|part| part["part"].clone());
    let expected = ["database", "setup", "deliveries", "reconciliation", "homeserver"];
    assert_eq!(names.collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_worker_reports_a_room_queue_that_nobody_claims() {
    let (messenger, app, wire) = test_app(Program::worker);
    app.set_up();
    messenger.send(fixtures::draft("x"), Duration::ZERO).await;
    assert_eq!(part(&ready(&wire).await, "deliveries")["oldest_due_seconds"], 0);
    messenger.pass(Duration::from_secs(301));
    tokio::time::advance(Duration::from_secs(6)).await;
    let answer = ready(&wire).await;
    assert_eq!((answer.status, &answer.body["code"]), (503, &json!("not_ready")));
    assert_eq!(part(&answer, "deliveries")["oldest_due_seconds"], 301);
    messenger.work().await;
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(ready(&wire).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_worker_reports_the_lease_and_the_age_of_the_sync_position() {
    let (messenger, app, wire) = test_app(Program::worker);
    app.set_up();
    let reconciliation = part(&ready(&wire).await, "reconciliation");
    assert_eq!((&reconciliation["ready"], &reconciliation["lease"]), (&json!(false), &json!("free")));
    let claimed = messenger.ports.reconciliation.claim("w", Duration::from_hours(1)).await;
    assert!(claimed.is_ok_and(|lease| lease.is_held()));
    tokio::time::advance(Duration::from_secs(6)).await;
    let reconciliation = part(&ready(&wire).await, "reconciliation");
    assert_eq!((&reconciliation["ready"], &reconciliation["lease"]), (&json!(true), &json!("held")));
    messenger.pass(Duration::from_secs(61));
    tokio::time::advance(Duration::from_secs(6)).await;
    let answer = ready(&wire).await;
    let reconciliation = part(&answer, "reconciliation");
    assert_eq!((answer.status, &reconciliation["ready"]), (200, &json!(false)), "a restart would not help");
    assert_eq!(reconciliation["since_sync_seconds"], 61);
}

#[tokio::test]
async fn a_process_is_alive_whatever_its_systems_do() {
    let (messenger, app, wire) = test_app(Program::worker);
    app.with_broker();
    messenger.memory.switch_off();
    messenger.homeserver.switch_off();
    let answer = wire.ask(Request::get("/livez")).await;
    assert_eq!((answer.status, answer.body), (200, json!("alive")));
}
