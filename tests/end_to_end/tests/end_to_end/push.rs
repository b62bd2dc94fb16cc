//! A homeserver that cannot push or loses pushes: its events arrive soon, and in the room's order.

use std::time::{Duration, Instant};

use messenger_core::port::ExternalAccess as _;
use messenger_store::{PgStore, StoreConfig};
use messenger_testkit::fixtures;
use messenger_tests::{First, Plan, PushProxy, Stack, is_skipped_on_deployment};
use serde_json::json;

/// The limit of five seconds, with an allowance for a busy machine.
const SOON: Duration = Duration::from_secs(20);

async fn start_with_push_proxy() -> Stack {
    Stack::start_with(Plan { push_proxy: true, ..Plan::default() }).await
}

fn push_proxy(stack: &Stack) -> &PushProxy {
    stack.push_proxy.as_ref().expect("the plan has a push proxy")
}

#[tokio::test]
async fn a_message_whose_push_was_lost_arrives_before_its_successor() {
    if is_skipped_on_deployment("it breaks the push of the homeserver") {
        return;
    }
    let mut stack = start_with_push_proxy().await;
    let [anna, _] = stack.client().provisioned_users(["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let mut stream = anna.stream(None).await;
    let first = element.send_text(&room, "received").await;
    assert_eq!(stream.next_of("new_message").await["event_id"], first.as_str());
    // Without a worker, no process reads `/sync`.
    stack.kill_worker();
    for round in 0..3 {
        // Lets the response to the last push arrive.
        tokio::time::sleep(Duration::from_millis(500)).await;
        push_proxy(&stack).discard();
        let lost = element.send_text(&room, &format!("lost {round}")).await;
        push_proxy(&stack).wait_until_discarded(round + 1).await;
        push_proxy(&stack).forward();
        let next = if round == 2 {
            let body = json!({ "room_id": room, "body": "from here" });
            anna.post("/api/v1/messages/send", &body).await.body["event_id"].as_str().map(str::to_owned)
        } else {
            Some(element.send_text(&room, &format!("next {round}")).await)
        };
        assert_eq!(stream.next_of("new_message").await["event_id"], lost.as_str());
        assert_eq!(stream.next_of("new_message").await["event_id"].as_str(), next.as_deref());
    }
}

#[tokio::test]
async fn a_new_worker_continues_within_seconds_after_a_kill() {
    if is_skipped_on_deployment("it kills processes") {
        return;
    }
    let mut stack = start_with_push_proxy().await;
    let [anna, _] = stack.client().provisioned_users(["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let mut stream = anna.stream(None).await;
    push_proxy(&stack).block();
    for n in 0..3 {
        let sent = element.send_text(&room, &format!("by the running worker {n}")).await;
        assert_eq!(stream.next_of("new_message").await["event_id"], sent.as_str());
        stack.kill_worker();
        stack.start_worker();
        let killed = Instant::now();
        let sent = element.send_text(&room, &format!("by its successor {n}")).await;
        assert_eq!(stream.next_of("new_message").await["event_id"], sent.as_str());
        assert!(killed.elapsed() < SOON, "{:?}", killed.elapsed());
    }
}

#[tokio::test]
async fn chats_of_other_clients_are_adopted_within_seconds_without_push() {
    if is_skipped_on_deployment("it breaks the push of the homeserver") {
        return;
    }
    let stack = start_with_push_proxy().await;
    let [anna, _] = stack.client().provisioned_users(["anna", "bert"]).await;
    let database_url = stack.database_url().to_owned();
    let connect_wait = Duration::from_secs(30);
    let store = PgStore::new(&StoreConfig { database_url, listen_url: None, pool_size: 2, connect_wait })
        .expect("a store");
    let by = fixtures::administrator();
    store.enable(&by, &fixtures::user("bert"), &fixtures::any_version()).await.expect("enabled");
    let element = stack.matrix("bert").await;
    let mut stream = anna.stream(None).await;
    let invited = format!("@anna:{}", stack.server_name());
    push_proxy(&stack).block();
    for n in 0..2 {
        let created = Instant::now();
        let room = element
            .create_room(
                json!({ "preset": "private_chat", "name": format!("Schicht {n}"), "invite": [invited] }),
            )
            .await;
        assert_eq!(stream.next_of("room_joined").await["room_id"], room.as_str());
        assert!(created.elapsed() < SOON, "{:?}", created.elapsed());
    }
    // The creator is alone in a room at first, and invites others later.
    let room = element.create_room(json!({ "preset": "private_chat", "name": "Schicht 2" })).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    element.invite(&room, &invited).await;
    assert_eq!(stream.next_of("room_joined").await["room_id"], room.as_str());
}

#[tokio::test]
async fn a_service_that_starts_after_its_registration_gets_pushes_at_once() {
    if is_skipped_on_deployment("it starts processes in another order") {
        return;
    }
    let stack = Stack::start_with(Plan { first: First::Worker, ..Plan::default() }).await;
    stack.client().provisioned_users(["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    // A Conduit whose push had failed would retry after half a minute at the earliest.
    let deadline = Instant::now() + SOON;
    let pushed = "select pushed_at::text from reconciliation where worker <> $1";
    while stack.query(pushed, "").await.is_none() {
        assert!(Instant::now() < deadline, "no push arrives");
        element.send_text(&room, "Hallo").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
