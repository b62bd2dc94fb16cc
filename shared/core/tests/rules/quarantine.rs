//! Rooms over which the homeserver fails, while it is there for all others.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    event::{Audience, Kind},
    id::{EventId, MatrixUserId, Position, RoomId},
    room_event::RoomEvent,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::{Value, json};

use crate::{WAIT, ready_caller};

/// Longer than anything is waited for.
const LONG: Duration = Duration::from_mins(3);

/// A messenger with a room that will be quarantined, one that will not, and Anna in both.
struct Stand {
    messenger: TestMessenger,
    quarantine: RoomId,
    other: RoomId,
    anna: MatrixUserId,
}

impl Stand {
    async fn new() -> Self {
        let messenger = messenger().build();
        let anna = ready_caller(&messenger, "anna").await;
        let quarantine =
            messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms").remove(0);
        let other = messenger.send(fixtures::machine(1, "x"), WAIT).await.notification.room.expect("a room");
        messenger.reconcile().run("worker", Duration::ZERO).await.expect("it is read");
        let anna = messenger.ids().of(&anna.user);
        Self { messenger, quarantine, other, anna }
    }

    fn says(&self, room: &RoomId, body: &str) -> RoomEvent {
        let event = self.messenger.homeserver.send_text(room, &self.anna, body);
        self.messenger.homeserver.room_event(room, &event)
    }

    fn edits(&self, of: &EventId) -> RoomEvent {
        let content = json!({
            "msgtype": "m.text", "body": "* neu", "m.new_content": { "msgtype": "m.text", "body": "neu" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": of },
        });
        let event =
            self.messenger.homeserver.send_event(&self.quarantine, &self.anna, "m.room.message", content);
        self.messenger.homeserver.room_event(&self.quarantine, &event)
    }

    /// Returns the messages of the room in the order of the log.
    async fn told(&self, room: &RoomId) -> Vec<String> {
        let audience = [Audience::Room(fixtures::TENANT, room.clone())];
        let events = self.messenger.ports.feed.after(Position(0), &audience, 1000).await.expect("events");
        let said = [Kind::NewMessage, Kind::MessageEdited];
        let events = events.into_iter().filter(|event| said.contains(&event.kind));
        let bodies = events.map(|event| serde_json::from_str::<Value>(&event.json()).expect("JSON"));
        bodies.map(|event| event["body"].as_str().expect("a body").to_owned()).collect()
    }
}

#[tokio::test]
async fn an_edit_of_what_may_not_be_read_stops_nobody() {
    let stand = Stand::new().await;
    let said = stand.says(&stand.quarantine, "alt");
    let events = vec![
        said.clone(),
        stand.edits(&said.event_id),
        stand.says(&stand.quarantine, "danach"),
        stand.says(&stand.other, "anderswo"),
    ];
    stand.messenger.homeserver.fail_room(&stand.quarantine, Failure::Rejected);
    stand.messenger.ingest().receive(events).await.expect("received");
    assert_eq!(stand.told(&stand.quarantine).await, ["alt", "danach"]);
    assert_eq!(stand.told(&stand.other).await, ["anderswo"]);
}

#[tokio::test]
async fn a_room_over_which_the_homeserver_fails_keeps_its_order_and_holds_up_no_other() {
    for heals in [true, false] {
        let stand = Stand::new().await;
        let said = stand.says(&stand.quarantine, "alt");
        // More than is taken in at once.
        let edit = [said.clone(), stand.edits(&said.event_id), stand.says(&stand.quarantine, "danach")];
        let more = (0..150).map(|n| stand.says(&stand.other, &n.to_string()));
        let last = [stand.says(&stand.quarantine, "zuletzt")];
        let events: Vec<_> = edit.into_iter().chain(more).chain(last).collect();
        stand.messenger.homeserver.fail_room(&stand.quarantine, Failure::Broken);
        for _ in 0..2 {
            let failed =
                stand.messenger.ingest().receive(events.clone()).await.expect_err("it is told again");
            assert_eq!(failed.failure(), Some(Failure::Broken));
            assert_eq!(stand.told(&stand.quarantine).await, ["alt"]);
            assert_eq!(stand.told(&stand.other).await.len(), 150);
        }
        if heals {
            stand.messenger.homeserver.heal_room(&stand.quarantine);
        } else {
            stand.messenger.pass(LONG);
        }
        stand.messenger.ingest().receive(events).await.expect("received");
        let told: &[&str] =
            if heals { &["alt", "neu", "danach", "zuletzt"] } else { &["alt", "danach", "zuletzt"] };
        assert_eq!(stand.told(&stand.quarantine).await, told);
    }
}

#[tokio::test]
async fn a_worker_reads_on_in_other_rooms_and_in_the_end_without_the_sick_one() {
    for failure in [Failure::Broken, Failure::Rejected] {
        let stand = Stand::new().await;
        for n in 0..10 {
            stand.says(&stand.quarantine, &n.to_string());
        }
        stand.says(&stand.other, "anderswo");
        stand.messenger.homeserver.fail_room(&stand.quarantine, failure);
        let position = stand.messenger.ports.reconciliation.position().await.expect("read");
        for _ in 0..2 {
            stand.messenger.reconcile().run("worker", Duration::ZERO).await.expect_err("it is told");
            assert_eq!(stand.told(&stand.other).await, ["anderswo"]);
            assert_eq!(stand.messenger.ports.reconciliation.position().await.expect("read"), position);
        }
        stand.messenger.pass(LONG);
        assert!(stand.messenger.reconcile().run("worker", Duration::ZERO).await.expect("it is read"));
        assert_ne!(stand.messenger.ports.reconciliation.position().await.expect("read"), position);
        assert_eq!(stand.told(&stand.quarantine).await, ["7", "8", "9"], "what the answer itself held");
    }
}

#[tokio::test]
async fn a_room_that_cannot_be_adopted_holds_up_no_other() {
    let stand = Stand::new().await;
    ready_caller(&stand.messenger, "bert").await;
    let bert = MatrixUserId::new("@bert:hub.local");
    let room = stand.messenger.homeserver.create_room_as(&stand.anna, &[&bert], false);
    let events = vec![stand.says(&room, "neu hier"), stand.says(&stand.other, "anderswo")];
    stand.messenger.homeserver.fail_room(&room, Failure::Broken);
    stand.messenger.ingest().receive(events.clone()).await.expect_err("it is told again");
    assert_eq!(stand.told(&stand.other).await, ["anderswo"]);
    stand.messenger.pass(LONG);
    stand.messenger.ingest().receive(events).await.expect("received");
    assert_eq!(stand.messenger.ports.rooms.tenant_of(&room).await.expect("looked"), None);
}

#[tokio::test]
async fn a_homeserver_that_is_away_is_waited_for_however_long_it_takes() {
    let stand = Stand::new().await;
    let said = stand.says(&stand.quarantine, "alt");
    let events = vec![stand.edits(&said.event_id), stand.says(&stand.other, "anderswo")];
    for _ in 0..3 {
        stand.messenger.homeserver.fail_room(&stand.quarantine, Failure::Unreachable);
        let failed = stand.messenger.ingest().receive(events.clone()).await.expect_err("it is told again");
        assert_eq!(failed.failure(), Some(Failure::Unreachable));
        stand.messenger.pass(LONG);
    }
    stand.messenger.homeserver.heal_room(&stand.quarantine);
    stand.messenger.ingest().receive(events).await.expect("received");
    assert_eq!(stand.told(&stand.quarantine).await, ["neu"]);
}
