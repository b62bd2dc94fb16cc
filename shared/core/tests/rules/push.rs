//! Pushed transactions, and pushes that the homeserver loses.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    event::{Audience, Kind},
    id::{EventId, MatrixUserId, Position, RoomId},
    message::OutgoingMessage,
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use tokio::time::sleep;

use crate::in_general_room;

/// A time in which a homeserver may have restarted.
const RESTART: Duration = Duration::from_millis(150);

/// Anna in the general room, which was read up to the present.
struct Fixture {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

impl Fixture {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled").is_held());
        Self { messenger, anna, room }
    }

    fn send_text(&self, body: &str) -> EventId {
        self.messenger.homeserver.send_text(&self.room, &self.id(), body)
    }

    fn id(&self) -> MatrixUserId {
        self.messenger.ids().of(&self.anna.user)
    }

    async fn push(&self, connection: u64, event: &EventId) {
        push(&self.messenger, connection, &self.room, event).await;
    }

    /// Returns the published messages, in order.
    async fn published(&self) -> Vec<String> {
        published(&self.messenger, &self.room).await
    }
}

async fn push(messenger: &TestMessenger, connection: u64, room: &RoomId, event: &EventId) {
    let events = vec![messenger.homeserver.room_event(room, event)];
    messenger.push().receive(Some(connection), events).await.expect("received");
}

async fn published(messenger: &TestMessenger, room: &RoomId) -> Vec<String> {
    let audience = [Audience::Room(fixtures::TENANT, room.clone())];
    let events =
        messenger.ports.feed.after(Position(0), &fixtures::all_of(&audience), 1000).await.expect("events");
    let messages = events.iter().filter(|event| event.kind == Kind::NewMessage);
    let body = |json: String| serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["body"].clone();
    messages.map(|event| body(event.json()).as_str().expect("a body").to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_push_is_ingested_before_its_successor_on_a_new_connection() {
    let fixture = Fixture::new().await;
    fixture.push(1, &fixture.send_text("1")).await;
    for (connection, lost, next) in [(2, "2", "3"), (3, "4", "5")] {
        fixture.send_text(lost);
        sleep(RESTART).await;
        fixture.push(connection, &fixture.send_text(next)).await;
    }
    assert_eq!(fixture.published().await, ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn a_new_process_ingests_what_was_lost_before_its_first_push() {
    let fixture = Fixture::new().await;
    fixture.push(9, &fixture.send_text("1")).await;
    fixture.send_text("2");
    let third = fixture.send_text("3");
    // A new process counts connections from 1.
    let started = fixture.messenger.another_process();
    push(&started, 1, &fixture.room, &third).await;
    assert_eq!(published(&started, &fixture.room).await, ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn later_pushes_on_a_connection_and_the_bots_own_messages_cost_no_call() {
    let fixture = Fixture::new().await;
    fixture.push(1, &fixture.send_text("1")).await;
    let calls = fixture.messenger.homeserver.calls();
    for n in 2..10 {
        fixture.push(1, &fixture.send_text(&n.to_string())).await;
    }
    assert_eq!(fixture.messenger.homeserver.calls(), calls);
    sleep(RESTART).await;
    let bot = MatrixUserId::new("@messenger:hub.local");
    fixture.push(2, &fixture.messenger.homeserver.send_text(&fixture.room, &bot, "a notification")).await;
    assert_eq!(fixture.messenger.homeserver.calls(), calls);
    fixture.push(2, &fixture.send_text("10")).await;
    assert_eq!(fixture.messenger.homeserver.calls(), calls + 1);
}

#[tokio::test(start_paused = true)]
async fn connections_that_follow_each_other_without_a_pause_cost_no_call() {
    let fixture = Fixture::new().await;
    fixture.push(1, &fixture.send_text("1")).await;
    let calls = fixture.messenger.homeserver.calls();
    for connection in 2..20 {
        sleep(RESTART / 2).await;
        fixture.push(connection, &fixture.send_text(&connection.to_string())).await;
    }
    assert_eq!(fixture.messenger.homeserver.calls(), calls, "Conduit opens one for each push");
    sleep(RESTART).await;
    fixture.push(20, &fixture.send_text("20")).await;
    assert_eq!(fixture.messenger.homeserver.calls(), calls + 1);
}

#[tokio::test]
async fn a_push_is_not_refused_because_the_events_before_it_cannot_be_read() {
    for failure in [Failure::Broken, Failure::Unreachable, Failure::TimedOut, Failure::Rejected] {
        let fixture = Fixture::new().await;
        fixture.messenger.homeserver.fail_call(1, failure);
        fixture.push(1, &fixture.send_text("1")).await;
        assert_eq!(fixture.published().await, ["1"], "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_homeserver_that_is_slow_to_show_the_events_before_a_push_is_not_waited_for() {
    let fixture = Fixture::new().await;
    let sent = fixture.send_text("1");
    fixture.messenger.homeserver.delay_requests(Duration::from_mins(5));
    let begin = tokio::time::Instant::now();
    fixture.push(1, &sent).await;
    assert!(begin.elapsed() <= Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(fixture.published().await, ["1"]);
}

#[tokio::test]
async fn every_process_knows_whether_the_homeserver_pushes() {
    let fixture = Fixture::new().await;
    let other = fixture.messenger.another_process();
    assert!(other.push().is_silent().await.expect("known"), "no push has arrived yet");
    for _ in 0..3 {
        fixture.push(1, &fixture.send_text("1")).await;
        assert!(!other.push().is_silent().await.expect("known"));
        fixture.messenger.pass(Duration::from_secs(10));
        assert!(other.push().is_silent().await.expect("known"));
    }
    // A push that could not be ingested does not count: the homeserver waits before it repeats it.
    fixture.messenger.memory.switch_off();
    let event = fixture.messenger.homeserver.room_event(&fixture.room, &fixture.send_text("2"));
    fixture.messenger.push().receive(Some(1), vec![event]).await.expect_err("the database is away");
    fixture.messenger.memory.switch_on();
    assert!(other.push().is_silent().await.expect("known"));
}

#[tokio::test(start_paused = true)]
async fn messages_sent_before_the_first_sync_keep_the_rooms_order() {
    let messenger = messenger().build();
    let (anna, room) = in_general_room(&messenger, "anna").await;
    assert_eq!(messenger.ports.reconciliation.sync_token().await.expect("read"), None);
    let id = messenger.ids().of(&anna.user);
    for n in 0..150 {
        messenger.homeserver.send_text(&room, &id, &n.to_string());
    }
    messenger
        .service
        .messages()
        .send(&anna, &room, OutgoingMessage::text("150", "m.text"), None)
        .await
        .expect("sent");
    sleep(Duration::from_secs(5)).await;
    let numbers: Vec<_> = (0..151).map(|n| n.to_string()).collect();
    assert_eq!(published(&messenger, &room).await, numbers);
}
