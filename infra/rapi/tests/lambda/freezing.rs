//! Environments are frozen between invocations: no necessary work may follow an answer.

use std::time::Duration;

use messenger_devstack::TestDatabase;
use messenger_rapi::{Function, Gateway, Request};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{database, function, notification, of_user, silent_network::SilentNetwork};

/// Runs a query on the database. Returns the number in its only column.
async fn number(database: &TestDatabase, sql: &str) -> i64 {
    let client = messenger_postgres::connect(database.url()).await.expect("the database");
    client.query_one(sql, &[]).await.expect("a row").get(0)
}

/// Kills all connections of the function, which notices nothing while it is frozen.
async fn kill_connections(database: &TestDatabase) -> i64 {
    let killed = "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity \
                  where datname = current_database() and pid <> pg_backend_pid()";
    number(database, killed).await
}

/// Invokes a frozen function, and freezes it again after the answer. Returns the status, the body and the
/// duration.
async fn call_frozen(function: &Function, request: &Request) -> (u16, Value, Duration) {
    let event = request.event(&Gateway::http_api());
    function.thaw();
    let begin = Instant::now();
    let answer = function.call(&event).await.expect("an answer");
    let lasted = begin.elapsed();
    function.freeze().await.expect("it is idle");
    (answer.status, answer.json().unwrap_or_default(), lasted)
}

#[tokio::test]
async fn a_frozen_function_answers_at_once_although_its_connections_died() {
    let database = database().await;
    for (program, request) in [
        ("users", of_user("mueller", "/api/v1/users/me")),
        ("poll", of_user("mueller", "/api/v1/events/poll?client=tablet")),
        // Writes are not repeated by the service.
        ("notifications", notification(&json!({}))),
    ] {
        let function = function(program, &database, &[]).await;
        let mut is_killed = false;
        for round in 0..6 {
            let (status, body, lasted) = call_frozen(&function, &request).await;
            assert!((200..300).contains(&status), "{program}, {round}: {status} {body}");
            assert!(lasted < Duration::from_secs(2), "{program}, {round}: {lasted:?}");
            if round % 2 == 0 {
                is_killed |= kill_connections(&database).await > 0;
            }
        }
        assert!(is_killed, "{program} had connections");
    }
    assert_eq!(number(&database, "select count(*) from notifications").await, 6, "each is stored once");
}

#[tokio::test]
async fn a_function_answers_soon_although_the_network_forgot_its_connections_during_a_freeze() {
    let database = database().await;
    let network = SilentNetwork::in_front_of(&database).await;
    for (program, request) in [
        ("users", of_user("mueller", "/api/v1/users/me")),
        ("poll", of_user("mueller", "/api/v1/events/poll?client=tablet")),
        ("notifications", notification(&json!({}))),
    ] {
        let function = function(program, &database, &[("DATABASE_URL", network.database_url())]).await;
        for round in 0..3 {
            let (status, body, lasted) = call_frozen(&function, &request).await;
            assert!((200..300).contains(&status), "{program}, {round}: {status} {body}");
            assert!(lasted < Duration::from_secs(2), "{program}, {round}: {lasted:?}");
            network.forget_connections();
        }
    }
    assert_eq!(number(&database, "select count(*) from notifications").await, 3, "each is stored once");
}

#[tokio::test]
async fn an_event_that_came_during_a_freeze_is_in_the_next_poll() {
    let database = database().await;
    let poll = function("poll", &database, &[]).await;
    let notifications = function("notifications", &database, &[]).await;
    let request = of_user("mueller", "/api/v1/events/poll?wait=1");
    call_frozen(&poll, &request).await;
    for round in 0..3 {
        kill_connections(&database).await;
        let title = format!("Meldung {round}");
        let (status, ..) = call_frozen(&notifications, &notification(&json!({ "title": title }))).await;
        assert_eq!(status, 201);
        let (status, events, lasted) = call_frozen(&poll, &request).await;
        assert_eq!((status, events.as_array().map(Vec::len)), (200, Some(1)), "{events}");
        assert!(events.to_string().contains(&title), "{events}");
        assert!(lasted < Duration::from_secs(2), "{lasted:?}");
    }
}
