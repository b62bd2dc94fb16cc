//! `kill -9` at random points, a few hundred times: no accepted notification or message is lost or
//! duplicated.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use messenger_tests::{Arrivals, Client, Part, Stack, StreamRecorder, is_on_deployment};
use rand::Rng as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// The number of kills with processes of the test, and with containers, which take seconds each.
const ROUNDS: [usize; 2] = [250, 12];
const FUNCTION: Part = Part::Function("notifications");
const AT_ONCE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_at_random_points_loses_and_duplicates_no_notification() {
    let mut stack = Stack::start().await;
    let client = stack.client();
    let mut accepted = BTreeMap::new();
    let mut killed_in_flight = 0;
    let rounds = ROUNDS[usize::from(is_on_deployment())];
    for round in 0..rounds {
        let mut calls = JoinSet::new();
        for n in 0..AT_ONCE {
            calls.spawn(notify_until_accepted(client.clone(), round * AT_ONCE + n));
        }
        // From before the commit to after the homeserver's response: a whole send takes about this long.
        let moment = Duration::from_millis(rand::rng().random_range(0..90));
        tokio::time::sleep(moment).await;
        killed_in_flight += calls.len();
        stack.kill(FUNCTION).await;
        if round % 5 == 0 {
            stack.kill(Part::Worker).await;
            stack.start_again(Part::Worker).await;
        }
        stack.start_again(FUNCTION).await;
        for (n, id) in calls.join_all().await {
            assert!(accepted.insert(id, n).is_none(), "two calls got one notification");
        }
    }
    assert!(killed_in_flight > rounds / 2, "enough calls were in flight: {killed_in_flight}");

    let begun = Instant::now();
    let mut room = None;
    for id in accepted.keys() {
        loop {
            let one = client.get_as_satellite(&format!("/api/v1/notifications/{id}")).await.body;
            if one["status"] == "sent" {
                room = one["matrix_room_id"].as_str().map(str::to_owned);
                break;
            }
            assert!(begun.elapsed() < Duration::from_mins(5), "{one}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let bot = stack.matrix_bot().await;
    let mut in_room = bot.notifications(&room.expect("a room")).await;
    in_room.sort_unstable();
    let expected: Vec<_> = accepted.keys().copied().collect();
    assert_eq!(expected.len(), rounds * AT_ONCE);
    assert_eq!(in_room, expected, "the room has each accepted notification exactly once, and no other");
}

/// The number of kills while two users chat.
const KILLS: [usize; 2] = [12, 4];
/// The number of messages that each of them sends between two kills.
const BETWEEN_KILLS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn messages_stay_in_order_while_homeserver_router_and_worker_are_killed() {
    let mut stack = Stack::start().await;
    let [anna, _] = stack.client().provisioned_users(["anna", "bert"]).await;
    let element = Arc::new(stack.matrix("bert").await);
    let room = element.rooms(1).await.remove(0);
    let recorder = StreamRecorder::start(&anna).await;
    let arrivals = Arrivals::record(stack.matrix_bot().await, &room).await;
    let kills = KILLS[usize::from(is_on_deployment())];
    for round in 0..kills {
        let other_client = {
            let (element, room) = (element.clone(), room.clone());
            tokio::spawn(async move {
                for n in 0..BETWEEN_KILLS {
                    element.send_text_until_accepted(&room, &format!("element {round}.{n}")).await;
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
                        .is_ok_and(|response| response.status == StatusCode::OK)
                    {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            })
        };
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..400))).await;
        let (homeserver, router, worker) = (round % 2 == 0, round % 3 != 1, round % 4 != 3);
        if worker {
            stack.kill(Part::Worker).await;
        }
        if homeserver {
            stack.kill(Part::Homeserver).await;
        }
        if router {
            stack.kill(Part::Function("messages")).await;
            stack.start_again(Part::Function("messages")).await;
        }
        if homeserver {
            stack.start_again(Part::Homeserver).await;
        }
        if worker {
            stack.start_again(Part::Worker).await;
        }
        other_client.await.expect("sent");
        here.await.expect("sent");
    }
    let ids = |events: Vec<Value>| -> Vec<String> {
        events.iter().filter_map(|event| event["event_id"].as_str().map(str::to_owned)).collect()
    };
    let in_room = ids(stack.matrix_bot().await.messages(&room).await);
    // More if a homeserver was killed between storing a message and storing its transaction id.
    assert!(in_room.len() >= 2 * kills * BETWEEN_KILLS, "{}", in_room.len());
    let count = |events: &[Value]| events.iter().filter(|event| event["type"] == "new_message").count();
    recorder.wait_until(|events| count(events) >= in_room.len()).await;
    let event_ids = ids(recorder.events("new_message"));
    assert_eq!(arrivals.difference(&event_ids, &in_room), None, "each once, in the room's order");
}

/// Sends a notification until it is accepted, as a client with an idempotency key does.
async fn notify_until_accepted(client: Client, n: usize) -> (usize, i64) {
    let body = json!({ "source_app": "a", "event_type": "e", "title": format!("Meldung {n}") });
    let key = format!("crash-{n}");
    loop {
        match client.try_notify(&body, "?wait=2", &key).await {
            Ok(response) if response.status == StatusCode::CREATED => {
                return (n, response.body["id"].as_i64().expect("an id"));
            }
            Ok(response) => assert!(
                response.status == StatusCode::CONFLICT || response.status.is_server_error(),
                "{} {}",
                response.status,
                response.body
            ),
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
