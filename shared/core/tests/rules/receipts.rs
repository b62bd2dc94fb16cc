//! Receipts of other Matrix clients move read positions here.

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

/// Longer than events are looked up that no message is known of.
const LATER: Duration = Duration::from_secs(6);

struct Stand {
    messenger: TestMessenger,
    anna: Caller,
    room: RoomId,
}

fn matrix(name: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{name}:hub.local"))
}

impl Stand {
    async fn new() -> Self {
        let messenger = messenger().build();
        let (anna, room) = in_general_room(&messenger, "anna").await;
        ready_caller(&messenger, "bert").await;
        Self { messenger, anna, room }
    }

    /// Bert says something, and we hear of it.
    async fn says(&self, body: &str) -> EventId {
        let event = self.messenger.homeserver.send_text(&self.room, &matrix("bert"), body);
        self.messenger
            .receive(vec![self.messenger.homeserver.room_event(&self.room, &event)])
            .await
            .expect("received");
        event
    }

    fn receipt(&self, event: &EventId) -> Receipt {
        Receipt { room: self.room.clone(), user: matrix("anna"), event: event.clone() }
    }

    async fn reads(&self, event: &EventId) {
        self.messenger.receipts().ingest(&[self.receipt(event)]).await.expect("heard");
    }

    async fn unread(&self) -> i64 {
        let rooms = self.messenger.rooms().list(&self.anna).await.expect("rooms");
        rooms.iter().find(|room| room.matrix_room_id == self.room).expect("the room").unread_count
    }

    /// Returns the `unread` events of Anna's devices.
    fn told(&self) -> Vec<Value> {
        let events = self.messenger.memory.events().into_iter().filter(|event| event.kind == Kind::Unread);
        events.map(|event| serde_json::from_str(event.payload.as_str()).expect("JSON")).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_told_once_by_whatever_ways_it_comes() {
    let stand = Stand::new().await;
    let (first, last) = (stand.says("1").await, stand.says("2").await);
    stand.reads(&first).await;
    assert_eq!(stand.unread().await, 1);
    // Public and private, by push and by `/sync`, here and in another process.
    let receipts = [stand.receipt(&last), stand.receipt(&last), stand.receipt(&first)];
    for process in [&stand.messenger, &stand.messenger.another_process()] {
        process.receipts().ingest(&receipts).await.expect("heard");
    }
    assert_eq!(stand.unread().await, 0);
    let told = [1, 0].map(|count| json!({ "room_id": stand.room, "unread_count": count }));
    assert_eq!(stand.told(), told);
    // The echo of what was read here.
    let next = stand.says("3").await;
    stand.messenger.rooms().mark_read(&stand.anna, &stand.room).await.expect("read");
    stand.messenger.drain_background().await;
    assert_eq!(stand.messenger.homeserver.receipts().len(), 1);
    stand.reads(&next).await;
    assert_eq!(
        (stand.told().len(), stand.messenger.homeserver.receipts().len()),
        (3, 1),
        "it does not go round"
    );
}

#[tokio::test(start_paused = true)]
async fn a_receipt_of_what_is_no_message_counts_for_what_stands_before_it() {
    let stand = Stand::new().await;
    stand.says("1").await;
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$x", "key": "+" } });
    let reaction =
        stand.messenger.homeserver.send_event(&stand.room, &matrix("bert"), "m.reaction", reaction);
    stand.says("2").await;
    let calls = stand.messenger.homeserver.calls();
    stand.reads(&reaction).await;
    tokio::time::sleep(LATER).await;
    assert_eq!(stand.unread().await, 1);
    assert_eq!(stand.messenger.homeserver.calls(), calls + 1, "the homeserver is asked once");
    // Who has read everything is of no interest.
    stand.messenger.rooms().mark_read(&stand.anna, &stand.room).await.expect("read");
    stand.messenger.drain_background().await;
    let calls = stand.messenger.homeserver.calls();
    let state =
        stand.messenger.homeserver.send_event(&stand.room, &matrix("bert"), "m.room.avatar", json!({}));
    stand.reads(&state).await;
    tokio::time::sleep(LATER).await;
    assert_eq!(stand.messenger.homeserver.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_may_be_quicker_than_its_message() {
    let stand = Stand::new().await;
    stand.says("1").await;
    let late = stand.messenger.homeserver.send_text(&stand.room, &matrix("bert"), "2");
    stand.reads(&late).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    stand
        .messenger
        .receive(vec![stand.messenger.homeserver.room_event(&stand.room, &late)])
        .await
        .expect("received");
    assert_eq!(stand.unread().await, 1, "the message before it is read");
    tokio::time::sleep(LATER).await;
    assert_eq!(stand.unread().await, 0);
}

#[tokio::test(start_paused = true)]
async fn reconciliation_takes_receipts_over_before_it_goes_on() {
    let stand = Stand::new().await;
    stand.messenger.reconcile("w", Duration::ZERO).await.expect("read");
    let event = stand.messenger.homeserver.send_text(&stand.room, &matrix("bert"), "1");
    for reader in ["anna", "messenger", "stranger"] {
        stand.messenger.homeserver.send_receipt(&stand.room, &matrix(reader), &event);
    }
    stand.messenger.homeserver.send_receipt(&stand.room, &MatrixUserId::new("@anna:elsewhere"), &event);
    stand.messenger.reconcile("w", Duration::ZERO).await.expect("read");
    assert_eq!(stand.unread().await, 0);
    assert_eq!(stand.told().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_the_database_did_not_take_is_not_lost() {
    let stand = Stand::new().await;
    let (first, second) = (stand.says("1").await, stand.says("2").await);
    stand.messenger.memory.switch_off();
    let refused = stand.messenger.receipts().ingest(&[stand.receipt(&first)]).await;
    refused.expect_err("whoever reads the stream reads it again");
    stand.messenger.receipts().ingest_pushed(vec![stand.receipt(&second)]).await;
    tokio::time::sleep(LATER / 2).await;
    stand.messenger.memory.switch_on();
    stand.reads(&first).await;
    assert_eq!(stand.unread().await, 1);
    tokio::time::sleep(LATER).await;
    assert_eq!(stand.unread().await, 0, "a pushed one is not repeated");
}
