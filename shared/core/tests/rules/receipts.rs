//! Read receipts of other Matrix clients move read positions.

use std::time::Duration;

use messenger_core::{
    event::Kind,
    id::{EventId, MatrixUserId, RoomId},
    receipt::Receipt,
    user::Caller,
};
use messenger_testkit::{TestMessenger, messenger};
use serde_json::{Value, json};

use crate::{in_general_room, ready_caller};

/// Longer than unknown events of receipts are looked up.
const LATER: Duration = Duration::from_secs(6);

struct Fixture {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

fn matrix(name: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{name}:hub.local"))
}

impl Fixture {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        ready_caller(&messenger, "bert").await;
        Self { messenger, anna, room }
    }

    /// Sends a message as Bert, and receives its event.
    async fn receive_text(&self, body: &str) -> EventId {
        let event = self.messenger.homeserver.send_text(&self.room, &matrix("bert"), body);
        self.messenger
            .ingest()
            .receive(vec![self.messenger.homeserver.room_event(&self.room, &event)])
            .await
            .expect("received");
        event
    }

    fn receipt(&self, event: &EventId) -> Receipt {
        Receipt { room: self.room.clone(), user: matrix("anna"), event: event.clone() }
    }

    async fn receive_receipt(&self, event: &EventId) {
        self.messenger.receipts().ingest(&[self.receipt(event)]).await.expect("received");
    }

    async fn unread(&self) -> i64 {
        let rooms = self.messenger.rooms().list(&self.anna).await.expect("rooms");
        rooms.iter().find(|room| room.matrix_room_id == self.room).expect("the room").unread_count
    }

    /// Returns the `unread` events of Anna's devices.
    fn unread_events(&self) -> Vec<Value> {
        let events = self.messenger.memory.events().into_iter().filter(|event| event.kind == Kind::Unread);
        events.map(|event| serde_json::from_str(event.payload.as_str()).expect("JSON")).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_published_once_however_it_arrives() {
    let fixture = Fixture::new().await;
    let (first, last) = (fixture.receive_text("1").await, fixture.receive_text("2").await);
    fixture.receive_receipt(&first).await;
    assert_eq!(fixture.unread().await, 1);
    // Public and private, by push and by `/sync`, here and in another process.
    let receipts = [fixture.receipt(&last), fixture.receipt(&last), fixture.receipt(&first)];
    for process in [&fixture.messenger, &fixture.messenger.another_process()] {
        process.receipts().ingest(&receipts).await.expect("received");
    }
    assert_eq!(fixture.unread().await, 0);
    let expected =
        [1, 0].map(|count| json!({ "room_id": fixture.room, "unread_count": count, "mention_count": 0 }));
    assert_eq!(fixture.unread_events(), expected);
    // The echo of a receipt of this service.
    let next = fixture.receive_text("3").await;
    fixture.messenger.rooms().mark_read(&fixture.anna, &fixture.room).await.expect("read");
    fixture.messenger.drain_background().await;
    assert_eq!(fixture.messenger.homeserver.receipts().len(), 1);
    fixture.receive_receipt(&next).await;
    assert_eq!(
        (fixture.unread_events().len(), fixture.messenger.homeserver.receipts().len()),
        (3, 1),
        "the echo has no effect"
    );
}

#[tokio::test(start_paused = true)]
async fn a_receipt_for_another_event_counts_for_the_messages_before_it() {
    let fixture = Fixture::new().await;
    fixture.receive_text("1").await;
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$x", "key": "+" } });
    let reaction =
        fixture.messenger.homeserver.send_event(&fixture.room, &matrix("bert"), "m.reaction", reaction);
    fixture.receive_text("2").await;
    let calls = fixture.messenger.homeserver.calls();
    fixture.receive_receipt(&reaction).await;
    tokio::time::sleep(LATER).await;
    assert_eq!(fixture.unread().await, 1);
    assert_eq!(fixture.messenger.homeserver.calls(), calls + 1, "the homeserver is called once");
    // No look-up happens if the user has read all messages.
    fixture.messenger.rooms().mark_read(&fixture.anna, &fixture.room).await.expect("read");
    fixture.messenger.drain_background().await;
    let calls = fixture.messenger.homeserver.calls();
    let state =
        fixture.messenger.homeserver.send_event(&fixture.room, &matrix("bert"), "m.room.avatar", json!({}));
    fixture.receive_receipt(&state).await;
    tokio::time::sleep(LATER).await;
    assert_eq!(fixture.messenger.homeserver.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_may_arrive_before_its_message() {
    let fixture = Fixture::new().await;
    fixture.receive_text("1").await;
    let late = fixture.messenger.homeserver.send_text(&fixture.room, &matrix("bert"), "2");
    fixture.receive_receipt(&late).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    fixture
        .messenger
        .ingest()
        .receive(vec![fixture.messenger.homeserver.room_event(&fixture.room, &late)])
        .await
        .expect("received");
    assert_eq!(fixture.unread().await, 1, "the message before it is read");
    tokio::time::sleep(LATER).await;
    assert_eq!(fixture.unread().await, 0);
}

#[tokio::test(start_paused = true)]
async fn reconciliation_stores_receipts_before_it_moves_the_sync_token() {
    let fixture = Fixture::new().await;
    fixture.messenger.reconcile().run("w", Duration::ZERO).await.expect("read");
    let event = fixture.messenger.homeserver.send_text(&fixture.room, &matrix("bert"), "1");
    for reader in ["anna", "messenger", "unknown"] {
        fixture.messenger.homeserver.send_receipt(&fixture.room, &matrix(reader), &event);
    }
    fixture.messenger.homeserver.send_receipt(&fixture.room, &MatrixUserId::new("@anna:elsewhere"), &event);
    fixture.messenger.reconcile().run("w", Duration::ZERO).await.expect("read");
    assert_eq!(fixture.unread().await, 0);
    assert_eq!(fixture.unread_events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_during_a_database_outage_is_not_lost() {
    let fixture = Fixture::new().await;
    let (first, second) = (fixture.receive_text("1").await, fixture.receive_text("2").await);
    fixture.messenger.memory.switch_off();
    let refused = fixture.messenger.receipts().ingest(&[fixture.receipt(&first)]).await;
    refused.expect_err("the worker reads the receipt again");
    fixture.messenger.receipts().ingest_pushed(vec![fixture.receipt(&second)]).await;
    tokio::time::sleep(LATER / 2).await;
    fixture.messenger.memory.switch_on();
    fixture.receive_receipt(&first).await;
    assert_eq!(fixture.unread().await, 1);
    tokio::time::sleep(LATER).await;
    assert_eq!(fixture.unread().await, 0, "a pushed receipt is retried, because it is not repeated");
}
