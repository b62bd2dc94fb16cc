//! A homeserver that cannot push, or loses a push: what happens there is heard soon, and in the room's order.

use std::time::{Duration, Instant};

use messenger_core::{
    id::{HubUserId, TenantId},
    port::ExternalAccess as _,
};
use messenger_store::{PgStore, StoreConfig};
use messenger_tests::{First, Gate, Plan, Stack, TestUser};
use serde_json::json;

/// "Within five seconds", on a busy machine.
const SOON: Duration = Duration::from_secs(20);

async fn gated() -> Stack {
    Stack::planned(Plan { gate: true, ..Plan::default() }).await
}

fn gate(stack: &Stack) -> &Gate {
    stack.gate.as_ref().expect("the plan has a gate")
}

/// Signs people in and waits for their accounts.
async fn settled(stack: &Stack, ids: [&str; 2]) -> [TestUser; 2] {
    let people = ids.map(|id| stack.client().person(id));
    for person in &people {
        person.wait_until_provisioned().await;
    }
    people
}

#[tokio::test]
async fn a_message_whose_push_was_lost_is_heard_before_its_successor() {
    let mut stack = gated().await;
    let [anna, _] = settled(&stack, ["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let mut stream = anna.stream(None).await;
    let first = element.say(&room, "heard").await;
    assert_eq!(stream.next_of("new_message").await["event_id"], first.as_str());
    // Nobody reads the homeserver's stream.
    stack.kill_worker();
    for round in 0..3 {
        // A push that is heard is answered a moment later.
        tokio::time::sleep(Duration::from_millis(500)).await;
        gate(&stack).lose();
        let lost = element.say(&room, &format!("lost {round}")).await;
        gate(&stack).has_lost(round + 1).await;
        gate(&stack).open();
        let next = if round == 2 {
            let body = json!({ "room_id": room, "body": "from here" });
            anna.post("/api/v1/messages/send", &body).await.body["event_id"].as_str().map(str::to_owned)
        } else {
            Some(element.say(&room, &format!("next {round}")).await)
        };
        assert_eq!(stream.next_of("new_message").await["event_id"], lost.as_str());
        assert_eq!(stream.next_of("new_message").await["event_id"].as_str(), next.as_deref());
    }
}

#[tokio::test]
async fn after_a_worker_was_killed_another_reads_on_within_seconds() {
    let mut stack = gated().await;
    let [anna, _] = settled(&stack, ["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    let mut stream = anna.stream(None).await;
    gate(&stack).close();
    for n in 0..3 {
        let said = element.say(&room, &format!("by the one who reads {n}")).await;
        assert_eq!(stream.next_of("new_message").await["event_id"], said.as_str());
        stack.kill_worker();
        stack.start_worker();
        let killed = Instant::now();
        let said = element.say(&room, &format!("by its successor {n}")).await;
        assert_eq!(stream.next_of("new_message").await["event_id"], said.as_str());
        assert!(killed.elapsed() < SOON, "{:?}", killed.elapsed());
    }
}

#[tokio::test]
async fn chats_made_elsewhere_are_heard_of_within_seconds_while_push_is_away() {
    let stack = gated().await;
    let [anna, _] = settled(&stack, ["anna", "bert"]).await;
    let database_url = stack.database_url().to_owned();
    let connect_wait = Duration::from_secs(30);
    let store = PgStore::new(&StoreConfig { database_url, pool_size: 2, connect_wait }).expect("a store");
    assert!(store.enable(TenantId(1), &HubUserId::new("bert")).await.expect("enabled"));
    let element = stack.matrix("bert").await;
    let mut stream = anna.stream(None).await;
    let invited = format!("@anna:{}", stack.server_name());
    gate(&stack).close();
    for n in 0..2 {
        let made = Instant::now();
        let room = element
            .create_room(
                json!({ "preset": "private_chat", "name": format!("Schicht {n}"), "invite": [invited] }),
            )
            .await;
        assert_eq!(stream.next_of("room_joined").await["room_id"], room.as_str());
        assert!(made.elapsed() < SOON, "{:?}", made.elapsed());
    }
    // Somebody who is alone in a room at first, and invites others later.
    let room = element.create_room(json!({ "preset": "private_chat", "name": "Schicht 2" })).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    element.invite(&room, &invited).await;
    assert_eq!(stream.next_of("room_joined").await["room_id"], room.as_str());
}

#[tokio::test]
async fn a_service_that_listens_later_than_it_was_registered_is_pushed_to_at_once() {
    let stack = Stack::planned(Plan { first: First::Worker, ..Plan::default() }).await;
    settled(&stack, ["anna", "bert"]).await;
    let element = stack.matrix("bert").await;
    let room = element.rooms(1).await.remove(0);
    // A Conduit that had pushed in vain would come again after half a minute at the earliest.
    let deadline = Instant::now() + SOON;
    let pushed = "select pushed_at::text from reconciliation where worker <> $1";
    while stack.query(pushed, "").await.is_none() {
        assert!(Instant::now() < deadline, "nothing is pushed");
        element.say(&room, "Hallo").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
