//! Rooms whose homeserver calls fail while those of all other rooms succeed.

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

/// A time longer than any quarantine.
const LONG: Duration = Duration::from_mins(3);

/// Anna in a room that will be quarantined and in one that will not.
struct Fixture {
    messenger: TestMessenger,
    quarantine: RoomId,
    other: RoomId,
    anna: MatrixUserId,
}

impl Fixture {
    async fn new() -> Self {
        let messenger = messenger().build();
        let anna = ready_caller(&messenger, "anna").await;
        let quarantine =
            messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms").remove(0);
        let other = messenger.send(fixtures::machine(1, "x"), WAIT).await.notification.room.expect("a room");
        messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled");
        let anna = messenger.ids().of(&anna.user);
        Self { messenger, quarantine, other, anna }
    }

    fn text_event(&self, room: &RoomId, body: &str) -> RoomEvent {
        let event = self.messenger.homeserver.send_text(room, &self.anna, body);
        self.messenger.homeserver.room_event(room, &event)
    }

    fn edit_event(&self, of: &EventId) -> RoomEvent {
        let content = json!({
            "msgtype": "m.text", "body": "* neu", "m.new_content": { "msgtype": "m.text", "body": "neu" },
            "m.relates_to": { "rel_type": "m.replace", "event_id": of },
        });
        let event =
            self.messenger.homeserver.send_event(&self.quarantine, &self.anna, "m.room.message", content);
        self.messenger.homeserver.room_event(&self.quarantine, &event)
    }

    /// Returns the published bodies of a room, in order.
    async fn published(&self, room: &RoomId) -> Vec<String> {
        let audience = [Audience::Room(fixtures::TENANT, room.clone())];
        let events = self
            .messenger
            .ports
            .feed
            .after(Position(0), &fixtures::all_of(&audience), 1000)
            .await
            .expect("events");
        let kinds = [Kind::NewMessage, Kind::MessageEdited];
        let events = events.into_iter().filter(|event| kinds.contains(&event.kind));
        let bodies = events.map(|event| serde_json::from_str::<Value>(&event.json()).expect("JSON"));
        bodies.map(|event| event["body"].as_str().expect("a body").to_owned()).collect()
    }
}

#[tokio::test]
async fn an_edit_of_an_unreadable_message_delays_no_other_event() {
    let fixture = Fixture::new().await;
    let message = fixture.text_event(&fixture.quarantine, "alt");
    let events = vec![
        message.clone(),
        fixture.edit_event(&message.event_id),
        fixture.text_event(&fixture.quarantine, "danach"),
        fixture.text_event(&fixture.other, "anderswo"),
    ];
    fixture.messenger.homeserver.fail_room(&fixture.quarantine, Failure::Rejected);
    fixture.messenger.ingest().receive(events).await.expect("received");
    assert_eq!(fixture.published(&fixture.quarantine).await, ["alt", "danach"]);
    assert_eq!(fixture.published(&fixture.other).await, ["anderswo"]);
}

#[tokio::test]
async fn a_quarantined_room_keeps_its_order_and_delays_no_other() {
    for heals in [true, false] {
        let fixture = Fixture::new().await;
        let message = fixture.text_event(&fixture.quarantine, "alt");
        // More than one batch.
        let edit = [
            message.clone(),
            fixture.edit_event(&message.event_id),
            fixture.text_event(&fixture.quarantine, "danach"),
        ];
        let more = (0..150).map(|n| fixture.text_event(&fixture.other, &n.to_string()));
        let last = [fixture.text_event(&fixture.quarantine, "zuletzt")];
        let events: Vec<_> = edit.into_iter().chain(more).chain(last).collect();
        fixture.messenger.homeserver.fail_room(&fixture.quarantine, Failure::Broken);
        for _ in 0..2 {
            let failed =
                fixture.messenger.ingest().receive(events.clone()).await.expect_err("the push is repeated");
            assert_eq!(failed.failure(), Some(Failure::Broken));
            assert_eq!(fixture.published(&fixture.quarantine).await, ["alt"]);
            assert_eq!(fixture.published(&fixture.other).await.len(), 150);
        }
        if heals {
            fixture.messenger.homeserver.heal_room(&fixture.quarantine);
        } else {
            fixture.messenger.pass(LONG);
        }
        fixture.messenger.ingest().receive(events).await.expect("received");
        let expected: &[&str] =
            if heals { &["alt", "neu", "danach", "zuletzt"] } else { &["alt", "danach", "zuletzt"] };
        assert_eq!(fixture.published(&fixture.quarantine).await, expected);
    }
}

#[tokio::test]
async fn a_worker_reads_other_rooms_and_finally_skips_the_quarantined_one() {
    for failure in [Failure::Broken, Failure::Rejected] {
        let fixture = Fixture::new().await;
        for n in 0..10 {
            fixture.text_event(&fixture.quarantine, &n.to_string());
        }
        fixture.text_event(&fixture.other, "anderswo");
        fixture.messenger.homeserver.fail_room(&fixture.quarantine, failure);
        let position = fixture.messenger.ports.reconciliation.sync_token().await.expect("read");
        for _ in 0..2 {
            fixture.messenger.reconcile().run("worker", Duration::ZERO).await.expect_err("a failed room");
            assert_eq!(fixture.published(&fixture.other).await, ["anderswo"]);
            assert_eq!(fixture.messenger.ports.reconciliation.sync_token().await.expect("read"), position);
        }
        fixture.messenger.pass(LONG);
        assert!(
            fixture.messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled").is_held()
        );
        assert_ne!(fixture.messenger.ports.reconciliation.sync_token().await.expect("read"), position);
        assert_eq!(
            fixture.published(&fixture.quarantine).await,
            ["7", "8", "9"],
            "only the events in the response to `/sync`"
        );
    }
}

#[tokio::test]
async fn a_room_that_cannot_be_adopted_delays_no_other() {
    let fixture = Fixture::new().await;
    ready_caller(&fixture.messenger, "bert").await;
    let bert = MatrixUserId::new("@bert:hub.local");
    let room = fixture.messenger.homeserver.create_room_as(&fixture.anna, &[&bert], false);
    let events = vec![fixture.text_event(&room, "neu hier"), fixture.text_event(&fixture.other, "anderswo")];
    fixture.messenger.homeserver.fail_room(&room, Failure::Broken);
    fixture.messenger.ingest().receive(events.clone()).await.expect_err("the push is repeated");
    assert_eq!(fixture.published(&fixture.other).await, ["anderswo"]);
    fixture.messenger.pass(LONG);
    fixture.messenger.ingest().receive(events).await.expect("received");
    assert_eq!(fixture.messenger.ports.rooms.tenant_of(&room).await.expect("looked up"), None);
}

#[tokio::test]
async fn an_unreachable_homeserver_is_waited_for_without_limit() {
    let fixture = Fixture::new().await;
    let message = fixture.text_event(&fixture.quarantine, "alt");
    let events = vec![fixture.edit_event(&message.event_id), fixture.text_event(&fixture.other, "anderswo")];
    for _ in 0..3 {
        fixture.messenger.homeserver.fail_room(&fixture.quarantine, Failure::Unreachable);
        let failed =
            fixture.messenger.ingest().receive(events.clone()).await.expect_err("the push is repeated");
        assert_eq!(failed.failure(), Some(Failure::Unreachable));
        fixture.messenger.pass(LONG);
    }
    fixture.messenger.homeserver.heal_room(&fixture.quarantine);
    fixture.messenger.ingest().receive(events).await.expect("received");
    assert_eq!(fixture.published(&fixture.quarantine).await, ["neu"]);
}

#[tokio::test]
async fn a_room_that_has_healed_is_held_back_again_at_its_next_failure() {
    let fixture = Fixture::new().await;
    let messages =
        [fixture.text_event(&fixture.quarantine, "eins"), fixture.text_event(&fixture.quarantine, "zwei")];
    for (message, failure) in messages.iter().zip([Failure::Broken, Failure::TimedOut]) {
        let edit = vec![message.clone(), fixture.edit_event(&message.event_id)];
        fixture.messenger.homeserver.fail_room(&fixture.quarantine, failure);
        fixture.messenger.ingest().receive(edit.clone()).await.expect_err("the push is repeated");
        fixture.messenger.homeserver.heal_room(&fixture.quarantine);
        fixture.messenger.ingest().receive(edit).await.expect("received");
        fixture.messenger.pass(LONG);
    }
    assert_eq!(fixture.published(&fixture.quarantine).await, ["eins", "neu", "zwei", "neu"]);
}

#[tokio::test]
async fn a_limited_room_that_has_healed_keeps_no_gap_at_its_next_failure() {
    let fixture = Fixture::new().await;
    for round in 0..2 {
        for n in 0..10 {
            fixture.text_event(&fixture.quarantine, &format!("{round}.{n}"));
        }
        fixture.messenger.homeserver.fail_room(&fixture.quarantine, Failure::Broken);
        fixture.messenger.reconcile().run("worker", Duration::ZERO).await.expect_err("a failed room");
        fixture.messenger.homeserver.heal_room(&fixture.quarantine);
        fixture.messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled");
        fixture.messenger.pass(LONG);
    }
    assert_eq!(fixture.published(&fixture.quarantine).await.len(), 20);
}

#[tokio::test]
async fn a_success_about_another_event_does_not_prolong_the_quarantine() {
    let fixture = Fixture::new().await;
    let messages = ["eins", "zwei"].map(|body| fixture.text_event(&fixture.quarantine, body));
    let edits = messages.each_ref().map(|message| fixture.edit_event(&message.event_id));
    let events: Vec<_> = messages.into_iter().chain(edits).collect();
    for _ in 0..3 {
        // The message of the first edit can be read, that of the second one cannot.
        fixture.messenger.homeserver.fail_call(2, Failure::Broken);
        fixture.messenger.ingest().receive(events.clone()).await.expect_err("the push is repeated");
        fixture.messenger.pass(Duration::from_secs(50));
    }
    fixture.messenger.homeserver.fail_call(2, Failure::Broken);
    fixture.messenger.ingest().receive(events).await.expect("the second edit is skipped");
    assert_eq!(fixture.published(&fixture.quarantine).await, ["eins", "zwei", "neu"]);
}
