//! `kill -9` at random points, a few hundred times: nothing that was accepted is lost, nothing is doubled.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use messenger_tests::{Client, Stack};
use rand::Rng as _;
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

const ROUNDS: usize = 250;
const AT_ONCE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_points_the_service_loses_and_doubles_nothing() {
    let mut stack = Stack::start().await;
    let client = stack.client();
    let mut accepted = BTreeMap::new();
    let mut killed_in_flight = 0;
    for round in 0..ROUNDS {
        let mut calls = JoinSet::new();
        for n in 0..AT_ONCE {
            calls.spawn(insist(client.clone(), round * AT_ONCE + n));
        }
        // From before the commit to after the homeserver's answer: a whole send takes about this long.
        let moment = Duration::from_millis(rand::rng().random_range(0..90));
        tokio::time::sleep(moment).await;
        killed_in_flight += calls.len();
        stack.router.kill();
        if round % 5 == 0 {
            stack.kill_worker();
            stack.start_worker();
        }
        stack.router.start_again().await.expect("the router starts");
        for (n, id) in calls.join_all().await {
            assert!(accepted.insert(id, n).is_none(), "two calls got one notification");
        }
    }
    assert!(killed_in_flight > ROUNDS / 2, "the kills hit something: {killed_in_flight}");

    let begun = Instant::now();
    let mut room = None;
    for id in accepted.keys() {
        loop {
            let one = client.ask(&format!("/api/v1/notifications/{id}")).await.body;
            if one["status"] == "sent" {
                room = one["matrix_room_id"].as_str().map(str::to_owned);
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "{one}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let bot = stack.matrix_bot().await;
    let mut in_room = bot.notifications(&room.expect("a room")).await;
    in_room.sort_unstable();
    let expected: Vec<_> = accepted.keys().copied().collect();
    assert_eq!(expected.len(), ROUNDS * AT_ONCE);
    assert_eq!(in_room, expected, "each accepted notification is in the room exactly once, and no other is");
}

/// Calls until it is answered, as a client with a retry key does.
async fn insist(client: Client, n: usize) -> (usize, i64) {
    let body = json!({ "source_app": "a", "event_type": "e", "title": format!("Meldung {n}") });
    let key = format!("crash-{n}");
    loop {
        match client.try_notify(&body, "?wait=2", &key).await {
            Ok(answer) if answer.status == StatusCode::CREATED => {
                return (n, answer.body["id"].as_i64().expect("an id"));
            }
            Ok(answer) => assert!(
                answer.status == StatusCode::CONFLICT || answer.status.is_server_error(),
                "{} {}",
                answer.status,
                answer.body
            ),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
