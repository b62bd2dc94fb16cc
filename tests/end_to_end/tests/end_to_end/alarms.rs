//! Alarms: one message for each fault in its room, which other Matrix clients acknowledge.

use std::time::Duration;

use messenger_core::{
    alarm::{AckRule, Action, Alarm, AlarmKey, NewAlarmInput, State, Trigger, step},
    id::{EventId, NotificationId},
    notification::{AcceptOutcome, Draft, NewNotification, Priority, Status},
    port::{AlarmChange, Alarms as _, Notifications},
};
use messenger_store::{PgStore, StoreConfig};
use messenger_testkit::fixtures::{TENANT, draft, new_notification};
use messenger_tests::{Matrix, Stack, is_skipped_on_conduit, is_skipped_on_deployment};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// The longest that an effect may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// The alarm of one fault, in the database of the service.
struct Fault {
    store: PgStore,
}

impl Fault {
    fn of(stack: &Stack) -> Self {
        let (database_url, listen_url) = (stack.database_url().to_owned(), None);
        let connect_wait = Duration::from_secs(30);
        let store = PgStore::new(&StoreConfig { database_url, listen_url, pool_size: 2, connect_wait });
        Self { store: store.expect("a store") }
    }

    fn key() -> AlarmKey {
        AlarmKey { tenant: TENANT, source_app: "inventory".to_owned(), dedup_key: "press-7".to_owned() }
    }

    /// Accepts a trigger, and applies it. Returns the id of the notification.
    async fn trigger(&self, draft: Draft) -> NotificationId {
        let ack = AckRule { is_required: true, expires_after: None };
        let action = Action::Trigger(Trigger { draft: draft.clone(), ack, resolve_after: None });
        let dedup_key = Some(Self::key().dedup_key);
        let alarm = Some(NewAlarmInput { dedup_key, action, occurred_at: None });
        let accepted = self.store.accept(NewNotification { alarm, ..new_notification(draft) }).await;
        let AcceptOutcome::New { notification, .. } = accepted.expect("accepted") else {
            unreachable!("a call without a key is new")
        };
        self.applied().await;
        notification.id
    }

    /// Applies the waiting inputs, and returns the alarm.
    async fn applied(&self) -> Alarm {
        loop {
            let loaded = self.store.load(&[Self::key()]).await.expect("loaded").remove(0);
            let change = step(&loaded.alarm, &loaded.inputs, loaded.now);
            let alarm = change.alarm.clone();
            let stored = self.store.apply(&[AlarmChange { change, events: Vec::new() }]).await;
            if stored.expect("stored").is_empty() {
                return alarm;
            }
        }
    }

    /// Waits until the alarm has a state by an act in the room.
    async fn until(&self, state: State) {
        let deadline = Instant::now() + PATIENCE;
        while self.applied().await.state() != state {
            assert!(Instant::now() < deadline, "the alarm does not become {}", state.as_str());
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn is_edit(message: &Value) -> bool {
    message["content"]["m.relates_to"]["rel_type"] == "m.replace"
}

/// Waits until the last message of a room contains a text, and returns all of them.
async fn until_shown(client: &Matrix, room: &str, text: &str) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let messages = client.messages(room).await;
        let last =
            messages.last().and_then(|message| message["content"]["body"].as_str()).unwrap_or_default();
        if last.contains(text) {
            return messages;
        }
        assert!(Instant::now() < deadline, "the last message is {last:?}, and not {text:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn forty_reports_of_a_fault_are_one_message_that_other_clients_acknowledge() {
    let is_skipped = is_skipped_on_conduit("it does not store what has notified a user");
    if is_skipped || is_skipped_on_deployment("it uses the database") {
        return;
    }
    let stack = Stack::start().await;
    stack.client().user("mueller").wait_until_provisioned().await;
    let element = stack.matrix("mueller").await;
    let room = element.rooms(1).await.remove(0);
    let fault = Fault::of(&stack);
    let first = fault.trigger(draft("Öldruck")).await;
    for _ in 1..40 {
        fault.trigger(draft("Öldruck")).await;
        sleep(Duration::from_millis(200)).await;
    }
    let messages = until_shown(&element, &room, "40×").await;
    let (told, edits) = messages.split_first().expect("a root message");
    assert!(edits.iter().all(is_edit) && edits.len() <= 4, "{messages:#?}");
    let message = told["event_id"].as_str().expect("an event id");
    assert_eq!(element.notified().await, [message], "edits do not notify");
    let stored = Notifications::find(&fault.store, TENANT, first).await;
    let stored = stored.expect("found").expect("stored");
    assert_eq!((stored.status, stored.event.as_ref().map(EventId::as_str)), (Status::Sent, Some(message)));

    let react =
        |of: &str| json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": of, "key": "✅" } });
    let reaction = element.send(&room, "m.reaction", react(message)).await;
    fault.until(State::ActiveAck).await;
    until_shown(&element, &room, "quittiert von").await;
    element.redact(&room, &reaction).await;
    fault.until(State::ActiveUnack).await;
    until_shown(&element, &room, "unquittiert").await;
    let reply = json!({
        "msgtype": "m.text", "body": "Erledigt", "m.mentions": {},
        "m.relates_to": { "m.in_reply_to": { "event_id": message } },
    });
    element.send(&room, "m.room.message", reply).await;
    fault.until(State::Normal).await;
    until_shown(&element, &room, "behoben von").await;
}

#[tokio::test]
async fn a_risen_priority_rings_and_its_ring_acknowledges() {
    if is_skipped_on_deployment("it uses the database") {
        return;
    }
    let stack = Stack::start().await;
    stack.client().user("mueller").wait_until_provisioned().await;
    let element = stack.matrix("mueller").await;
    let room = element.rooms(1).await.remove(0);
    let fault = Fault::of(&stack);
    fault.trigger(draft("Öldruck")).await;
    let message = until_shown(&element, &room, "unquittiert").await[0]["event_id"].clone();
    let urgent = Draft { priority: Priority::Urgent, ..draft("Öldruck") };
    fault.trigger(urgent).await;
    let ring = until_shown(&element, &room, "Priorität jetzt dringend").await.pop().expect("a ring");
    assert_eq!(ring["content"]["m.relates_to"]["m.in_reply_to"]["event_id"], message);
    let ring = ring["event_id"].as_str().expect("an event id");
    let key = json!({ "rel_type": "m.annotation", "event_id": ring, "key": "👍🏽" });
    element.send(&room, "m.reaction", json!({ "m.relates_to": key })).await;
    fault.until(State::ActiveAck).await;
    until_shown(&element, &room, "quittiert von").await;
}

#[tokio::test]
async fn a_killed_worker_leaves_one_root_message_with_the_last_state() {
    if is_skipped_on_deployment("it kills the worker") {
        return;
    }
    let mut stack = Stack::start().await;
    stack.client().user("mueller").wait_until_provisioned().await;
    let element = stack.matrix("mueller").await;
    let room = element.rooms(1).await.remove(0);
    let fault = Fault::of(&stack);
    for round in 0..5 {
        fault.trigger(draft("Öldruck")).await;
        sleep(Duration::from_millis(20 * round)).await;
        stack.kill_worker();
        fault.trigger(draft("Öldruck")).await;
        stack.start_worker();
    }
    let messages = until_shown(&element, &room, "10×").await;
    assert_eq!(messages.iter().filter(|message| !is_edit(message)).count(), 1, "{messages:#?}");
}
