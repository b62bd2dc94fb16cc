//! Transactions that the homeserver pushes, and those that it loses.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    event::{Audience, Kind},
    id::{EventId, MatrixUserId, Position, RoomId},
    message::MessageContent,
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use tokio::time::sleep;

use crate::in_general_room;

/// Time in which a homeserver may have restarted.
const RESTART: Duration = Duration::from_millis(150);

/// Anna in the general room, of which everything was read.
struct Stand {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

impl Stand {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("it is read"));
        Self { messenger, anna, room }
    }

    fn says(&self, body: &str) -> EventId {
        self.messenger.homeserver.send_text(&self.room, &self.id(), body)
    }

    fn id(&self) -> MatrixUserId {
        self.messenger.ids().of(&self.anna.user)
    }

    async fn push(&self, connection: u64, event: &EventId) {
        push(&self.messenger, connection, &self.room, event).await;
    }

    /// The messages in the log, in its order.
    async fn told(&self) -> Vec<String> {
        told(&self.messenger, &self.room).await
    }
}

async fn push(messenger: &TestMessenger, connection: u64, room: &RoomId, event: &EventId) {
    let events = vec![messenger.homeserver.room_event(room, event)];
    messenger.receive_push(Some(connection), events).await.expect("received");
}

async fn told(messenger: &TestMessenger, room: &RoomId) -> Vec<String> {
    let audience = [Audience::Room(fixtures::TENANT, room.clone())];
    let events = messenger.ports.feed.after(Position(0), &audience, 1000).await.expect("events");
    let messages = events.iter().filter(|event| event.kind == Kind::NewMessage);
    let body = |json: String| serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["body"].clone();
    messages.map(|event| body(event.json()).as_str().expect("a body").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_push_is_ingested_before_its_successor_on_a_new_connection() {
    let stand = Stand::new().await;
    stand.push(1, &stand.says("1")).await;
    for (connection, lost, next) in [(2, "2", "3"), (3, "4", "5")] {
        stand.says(lost);
        sleep(RESTART).await;
        stand.push(connection, &stand.says(next)).await;
    }
    assert_eq!(stand.told().await, ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_new_process_ingests_what_was_lost_before_its_first_push() {
    let stand = Stand::new().await;
    stand.push(9, &stand.says("1")).await;
    stand.says("2");
    let third = stand.says("3");
    // Its connections are counted anew.
    let started = stand.messenger.another_process();
    push(&started, 1, &stand.room, &third).await;
    assert_eq!(told(&started, &stand.room).await, ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn later_pushes_on_a_connection_and_the_bots_own_messages_cost_no_call() {
    let stand = Stand::new().await;
    stand.push(1, &stand.says("1")).await;
    let calls = stand.messenger.homeserver.calls();
    for n in 2..10 {
        stand.push(1, &stand.says(&n.to_string())).await;
    }
    assert_eq!(stand.messenger.homeserver.calls(), calls);
    sleep(RESTART).await;
    let bot = MatrixUserId::new("@messenger:hub.local");
    stand.push(2, &stand.messenger.homeserver.send_text(&stand.room, &bot, "a notification")).await;
    assert_eq!(stand.messenger.homeserver.calls(), calls);
    stand.push(2, &stand.says("10")).await;
    assert_eq!(stand.messenger.homeserver.calls(), calls + 1);
}

#[tokio::test(start_paused = true)]
async fn connections_that_follow_each_other_without_a_pause_cost_no_call() {
    let stand = Stand::new().await;
    stand.push(1, &stand.says("1")).await;
    let calls = stand.messenger.homeserver.calls();
    for connection in 2..20 {
        sleep(RESTART / 2).await;
        stand.push(connection, &stand.says(&connection.to_string())).await;
    }
    assert_eq!(stand.messenger.homeserver.calls(), calls, "Conduit opens one for each push");
    sleep(RESTART).await;
    stand.push(20, &stand.says("20")).await;
    assert_eq!(stand.messenger.homeserver.calls(), calls + 1);
}

#[tokio::test]
async fn a_push_is_not_refused_because_the_events_before_it_cannot_be_read() {
    for failure in [Failure::Broken, Failure::Unreachable, Failure::TimedOut, Failure::Rejected] {
        let stand = Stand::new().await;
        stand.messenger.homeserver.fail_call(1, failure);
        stand.push(1, &stand.says("1")).await;
        assert_eq!(stand.told().await, ["1"], "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_homeserver_that_is_slow_to_show_the_events_before_a_push_is_not_waited_for() {
    let stand = Stand::new().await;
    let said = stand.says("1");
    stand.messenger.homeserver.delay_requests(Duration::from_mins(5));
    let begin = tokio::time::Instant::now();
    stand.push(1, &said).await;
    assert!(begin.elapsed() <= Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(stand.told().await, ["1"]);
}

#[tokio::test]
async fn it_is_known_to_every_process_whether_the_homeserver_pushes() {
    let stand = Stand::new().await;
    let other = stand.messenger.another_process();
    assert!(other.push().is_silent().await.expect("known"), "it never did");
    for _ in 0..3 {
        stand.push(1, &stand.says("1")).await;
        assert!(!other.push().is_silent().await.expect("known"));
        stand.messenger.pass(Duration::from_secs(10));
        assert!(other.push().is_silent().await.expect("known"));
    }
    // A push that could not be ingested comes again later: the homeserver waits.
    stand.messenger.memory.switch_off();
    let event = stand.messenger.homeserver.room_event(&stand.room, &stand.says("2"));
    stand.messenger.receive_push(Some(1), vec![event]).await.expect_err("the database is away");
    stand.messenger.memory.switch_on();
    assert!(other.push().is_silent().await.expect("known"));
}

#[tokio::test(start_paused = true)]
async fn before_anything_was_read_messages_of_ours_stand_in_the_rooms_order() {
    let messenger = messenger().build();
    let (anna, room) = in_general_room(&messenger, "anna").await;
    assert_eq!(messenger.ports.reconciliation.position().await.expect("read"), None);
    let id = messenger.ids().of(&anna.user);
    for n in 0..150 {
        messenger.homeserver.send_text(&room, &id, &n.to_string());
    }
    messenger.service.send(&anna, &room, MessageContent::text("150", "m.text"), None).await.expect("sent");
    sleep(Duration::from_secs(5)).await;
    let numbers: Vec<_> = (0..151).map(|n| n.to_string()).collect();
    assert_eq!(told(&messenger, &room).await, numbers);
}
