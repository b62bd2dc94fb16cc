//! The worker on Lambda: setup, runs by a timer, and foreign events.

use std::time::Duration;

use messenger_devstack::TestDatabase;
use messenger_rapi::{Gateway, Invocation, Request};
use messenger_runtime::testing::SERVICE_TOKEN;
use serde_json::json;
use tokio::time::Instant;

use crate::{
    database, function,
    homeserver::{Homeserver, result, setup, timer},
    notification,
};

#[tokio::test]
async fn the_worker_names_its_two_events_to_any_other() {
    let database = database().await;
    let worker = function("worker", &database, &[]).await;
    for foreign in [json!({}), json!({ "setup": 1 }), Request::get("/livez").event(&Gateway::FunctionUrl)] {
        let outcome = worker.invoke(Invocation::new(&foreign)).await.expect("an outcome");
        let message = outcome.failure().expect("an error").body["errorMessage"].to_string();
        assert!(message.contains("setup") && message.contains("Scheduled Event"), "{foreign}: {message}");
    }
}

#[tokio::test]
async fn a_setup_without_a_homeserver_fails_with_its_cause_and_has_migrated() {
    let database = TestDatabase::create(None).await.expect("a database");
    let worker = function("worker", &database, &[]).await;
    let outcome = worker.invoke(setup()).await.expect("an outcome");
    let message = outcome.failure().expect("an error").body["errorMessage"].to_string();
    assert!(message.contains("bootstrapping the homeserver failed"), "{message}");
    let client = messenger_postgres::connect(database.url()).await.expect("the database");
    client.query_one("select count(*) from notifications", &[]).await.expect("it is migrated");
}

#[tokio::test]
async fn a_run_ends_before_its_deadline() {
    let database = database().await;
    let worker = function("worker", &database, &[]).await;
    let begin = Instant::now();
    let ended = result(&worker, timer().within(Duration::from_secs(7))).await;
    assert_eq!(ended["ended"], "deadline");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn after_a_setup_runs_deliver_what_was_accepted_and_end_when_nothing_is_to_do() {
    let homeserver = Homeserver::start().await;
    let worker = homeserver.function("worker").await;
    for _ in 0..2 {
        let done = result(&worker, setup()).await;
        assert_eq!(done, json!({ "migrated": true, "bootstrapped": true }));
    }
    let notifications = homeserver.function("notifications").await;
    let sent = notifications.call(&notification(&json!({})).event(&Gateway::http_api())).await;
    assert_eq!(sent.expect("an answer").json().expect("JSON")["status"], "pending");
    worker.freeze().await.expect("it is idle");
    worker.thaw();
    let begin = Instant::now();
    let ended = result(&worker, timer().within(Duration::from_mins(1))).await;
    assert_eq!(ended["ended"], "idle", "after {:?}", begin.elapsed());
    let one = Request::get("/api/v1/notifications/1").header("X-Service-Token", SERVICE_TOKEN);
    let one = notifications.call(&one.event(&Gateway::http_api())).await.expect("an answer");
    assert_eq!(one.json().expect("JSON")["status"], "sent", "{}", one.text());
}
