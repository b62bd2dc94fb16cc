//! `kill -9` at random points, a few hundred times: nothing that was accepted is lost, nothing is doubled.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use messenger_tests::{Client, Listener, Stack, difference};
use rand::Rng as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
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

/// Kills while two people talk.
const KILLS: usize = 12;
/// Messages that each of them says until the next kill.
const BETWEEN_KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn messages_stay_in_order_while_homeserver_router_and_worker_are_killed() {
    let mut stack = Stack::start().await;
    let (anna, bert) = (stack.client().person("anna"), stack.client().person("bert"));
    anna.wait_until_provisioned().await;
    bert.wait_until_provisioned().await;
    let element = Arc::new(stack.matrix("bert").await);
    let room = element.rooms(1).await.remove(0);
    let heard = Listener::start(&anna).await;
    for round in 0..KILLS {
        let elsewhere = {
            let (element, room) = (element.clone(), room.clone());
            tokio::spawn(async move {
                for n in 0..BETWEEN_KILLS {
                    element.insist(&room, &format!("element {round}.{n}")).await;
                }
            })
        };
        let here = {
            let (anna, room) = (anna.clone(), room.clone());
            tokio::spawn(async move {
                for n in 0..BETWEEN_KILLS {
                    let text = format!("hub {round}.{n}");
                    let body = json!({ "room_id": room, "body": text, "txn_id": text });
                    while !anna
                        .try_post("/api/v1/messages/send", &body)
                        .await
                        .is_ok_and(|answer| answer.status == StatusCode::OK)
                    {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            })
        };
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..400))).await;
        let (homeserver, router, worker) = (round % 2 == 0, round % 3 != 1, round % 4 != 3);
        if worker {
            stack.kill_worker();
        }
        if homeserver {
            stack.homeserver.as_mut().expect("a homeserver").kill();
        }
        if router {
            stack.router.kill();
            stack.router.start_again().await.expect("the router starts");
        }
        if homeserver {
            stack.homeserver.as_mut().expect("a homeserver").start_again().await.expect("it starts");
        }
        if worker {
            stack.start_worker();
        }
        elsewhere.await.expect("said");
        here.await.expect("said");
    }
    let ids = |events: Vec<Value>| -> Vec<String> {
        events.iter().filter_map(|event| event["event_id"].as_str().map(str::to_owned)).collect()
    };
    let in_room = ids(stack.matrix_bot().await.messages(&room).await);
    // More, if a homeserver was killed after it had stored a message and before it had stored the transaction id.
    assert!(in_room.len() >= 2 * KILLS * BETWEEN_KILLS, "{}", in_room.len());
    let count = |events: &[Value]| events.iter().filter(|event| event["type"] == "new_message").count();
    heard.until(|events| count(events) >= in_room.len()).await;
    let heard = ids(heard.heard("new_message"));
    assert!(heard == in_room, "each once, in the room's order: {}", difference(&heard, &in_room));
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
