//! Delivery of the messages of alarms.

use std::time::Duration;

use messenger_core::{
    alarm::{
        AckRule, Action, AlarmKey, Expected, Input, InputSource, NewAlarmInput, Operator, REOPEN_WITHIN,
        State, Trigger, step,
    },
    id::{EventId, MatrixUserId, RoomId},
    notification::{AcceptOutcome, Draft, NewNotification, Notification, Priority, Status, reason},
    port::{AlarmChange, Alarms as _, Notifications},
    user::Role,
};
use messenger_testkit::{
    Message, TestMessenger,
    fixtures::{self, TENANT, draft, new_notification, user},
    messenger,
};
use serde_json::{Value, json};

use crate::{AFTER_BACKOFF, NO_WAIT, pass, ready_caller, ready_with, run_until_idle};

/// The longest pause between two edits that show details.
const PAUSE_MAX: Duration = Duration::from_mins(1);

fn key() -> AlarmKey {
    AlarmKey { tenant: TENANT, source_app: "inventory".to_owned(), dedup_key: "press-7".to_owned() }
}

/// Accepts a trigger, and applies it.
async fn trigger(messenger: &TestMessenger, draft: Draft) -> Notification {
    let ack = AckRule { is_required: true, expires_after: None };
    let action = Action::Trigger(Trigger { draft: draft.clone(), ack, resolve_after: None });
    let alarm = Some(NewAlarmInput { dedup_key: Some(key().dedup_key), action, occurred_at: None });
    let entry = NewNotification { alarm, ..new_notification(draft) };
    let AcceptOutcome::New { notification, .. } = messenger.memory.accept(entry).await.expect("accepted")
    else {
        panic!("it is new");
    };
    apply(messenger, None).await;
    *notification
}

/// Applies an act of an operator.
async fn act(messenger: &TestMessenger, action: Action) {
    apply(messenger, Some(action)).await;
}

/// Applies the waiting inputs, and an act.
async fn apply(messenger: &TestMessenger, action: Option<Action>) {
    let mut loaded = messenger.memory.load(&[key()]).await.expect("loaded").remove(0);
    let operator = Operator { id: user("anna"), display_name: "Anna".to_owned() };
    loaded.inputs.extend(action.map(|action| Input {
        id: None,
        received_at: loaded.now,
        source: InputSource::Api(operator),
        action,
        occurred_at: None,
        expected: Expected::default(),
        comment: None,
    }));
    let change = step(&loaded.alarm, &loaded.inputs, loaded.now);
    let stale = messenger.memory.apply(&[AlarmChange { change, events: Vec::new() }]).await.expect("applied");
    assert_eq!(stale, []);
}

fn the_room(messenger: &TestMessenger) -> RoomId {
    let [room] = &messenger.homeserver.rooms()[..] else { panic!("one room") };
    room.clone()
}

/// Returns all messages in the one room, without reactions.
fn messages(messenger: &TestMessenger) -> Vec<Message> {
    let messages = messenger.homeserver.messages(&the_room(messenger)).into_iter();
    messages.filter(|message| message.kind == "m.room.message").collect()
}

fn contents(messenger: &TestMessenger) -> Vec<Value> {
    messages(messenger).into_iter().map(|message| message.content).collect()
}

/// Returns the first lines of all messages in the one room.
fn lines(messenger: &TestMessenger) -> Vec<String> {
    let bodies = contents(messenger).into_iter();
    bodies.map(|content| content["body"].as_str().expect("a text").to_owned()).collect()
}

async fn status(messenger: &TestMessenger, notification: &Notification) -> Status {
    let stored = Notifications::find(&messenger.memory, TENANT, notification.id)
        .await
        .expect("found")
        .expect("stored");
    stored.status
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_one_message_that_is_edited() {
    let messenger = messenger().build();
    let first = trigger(&messenger, draft("Öldruck")).await;
    messenger.work().await;
    assert_eq!(status(&messenger, &first).await, Status::Sent);
    for _ in 0..39 {
        trigger(&messenger, draft("Öldruck")).await;
        messenger.work().await;
        pass(&messenger, Duration::from_millis(250)).await;
    }
    pass(&messenger, PAUSE_MAX).await;
    messenger.work().await;
    let contents = contents(&messenger);
    let (root, edits) = contents.split_first().expect("a root message");
    assert_eq!(root["com.aesystek.alarm"], json!({ "id": 1, "episode": 1 }));
    assert!((1..=4).contains(&edits.len()), "{} edits", edits.len());
    assert!(edits.iter().all(|edit| edit["m.relates_to"]["rel_type"] == "m.replace"));
    assert!(edits.last().is_some_and(|last| last["body"].as_str().is_some_and(|body| body.contains("40×"))));
}

#[tokio::test(start_paused = true)]
async fn an_outage_gives_one_message_with_the_last_state() {
    let messenger = messenger().build();
    messenger.homeserver.switch_off();
    let notification = trigger(&messenger, draft("Öldruck")).await;
    for _ in 0..5 {
        messenger.work().await;
        pass(&messenger, AFTER_BACKOFF).await;
    }
    trigger(&messenger, Draft { priority: Priority::Urgent, ..draft("Öldruck") }).await;
    act(&messenger, Action::Acknowledge).await;
    assert_eq!(status(&messenger, &notification).await, Status::Pending);
    messenger.homeserver.switch_on();
    run_until_idle(&messenger).await;
    let lines = lines(&messenger);
    assert!(lines[0].contains("quittiert von Anna"), "{lines:?}");
    assert_eq!(status(&messenger, &notification).await, Status::Sent);
    // A root message that may have been sent before the outage shows its first revision, so one edit follows.
    assert!(lines.len() <= 2, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_risen_priority_rings_by_a_reply_to_the_root_message() {
    let messenger = messenger().build();
    trigger(&messenger, draft("Öldruck")).await;
    messenger.work().await;
    trigger(&messenger, Draft { priority: Priority::Urgent, ..draft("Öldruck") }).await;
    messenger.work().await;
    let messages = messages(&messenger);
    let [root, edit, ring] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(edit.content["m.mentions"], json!({}));
    assert_eq!(ring.content["m.relates_to"]["m.in_reply_to"]["event_id"], json!(root.event));
    assert_eq!(ring.content["m.mentions"], json!({ "room": true }));
    run_until_idle(&messenger).await;
    assert_eq!(self::messages(&messenger).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_alarm_does_not_ring() {
    let messenger = messenger().build();
    trigger(&messenger, draft("Öldruck")).await;
    messenger.work().await;
    trigger(&messenger, Draft { priority: Priority::Urgent, ..draft("Öldruck") }).await;
    act(&messenger, Action::Acknowledge).await;
    run_until_idle(&messenger).await;
    let lines = lines(&messenger);
    assert_eq!(lines.len(), 2, "the root message and one edit: {lines:?}");
}

#[tokio::test(start_paused = true)]
async fn the_order_of_the_room_holds_for_alarms_and_notifications() {
    let messenger = messenger().build();
    messenger.send(draft("eins"), NO_WAIT).await;
    trigger(&messenger, draft("Öldruck")).await;
    messenger.send(draft("drei"), crate::WAIT).await;
    run_until_idle(&messenger).await;
    let lines = lines(&messenger);
    assert!(
        lines[0].contains("eins") && lines[1].contains("Öldruck") && lines[2].contains("drei"),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_at_any_point_doubles_no_message() {
    for steps in 0..200 {
        let messenger = messenger().build();
        trigger(&messenger, draft("Öldruck")).await;
        trigger(&messenger, Draft { priority: Priority::Urgent, ..draft("Öldruck") }).await;
        let ended = messenger.crash_after(steps, messenger.work()).await.is_none();
        let other = messenger.another_process();
        act(&other, Action::Acknowledge).await;
        run_until_idle(&other).await;
        let contents = contents(&other);
        let roots = contents.iter().filter(|content| content.get("m.relates_to").is_none());
        assert_eq!(roots.count(), 1, "ended after {steps} steps");
        let last = contents.last().and_then(|content| content["body"].as_str()).unwrap_or_default();
        assert!(last.contains("quittiert von Anna"), "ended after {steps} steps: {contents:?}");
        if !ended {
            return;
        }
    }
    panic!("the work takes more steps");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_an_unknown_user_is_shown_as_it_stands_at_their_sign_in() {
    let messenger = messenger().build();
    let held = trigger(&messenger, fixtures::dm("bert", "Ihr Auftrag")).await;
    assert_eq!(held.reason.as_deref(), Some(reason::RECIPIENT_NOT_PROVISIONED));
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.rooms(), []);
    trigger(&messenger, fixtures::dm("bert", "Ihr Auftrag")).await;
    ready_caller(&messenger, "bert").await;
    run_until_idle(&messenger).await;
    let bodies = messenger.homeserver.all_bodies();
    assert_eq!(bodies.iter().filter(|body| body.contains("2× seit")).count(), 1, "{bodies:?}");
    assert_eq!(status(&messenger, &held).await, Status::Sent);
}

/// Sends an event to the one room with another Matrix client, and ingests it.
async fn deliver(messenger: &TestMessenger, name: &str, kind: &str, content: Value) -> EventId {
    let (room, sender) = (the_room(messenger), MatrixUserId::new(format!("@{name}:hub.local")));
    let event = messenger.homeserver.send_event(&room, &sender, kind, content);
    ingest(messenger, &event).await;
    event
}

async fn ingest(messenger: &TestMessenger, event: &EventId) {
    let event = messenger.homeserver.room_event(&the_room(messenger), event);
    messenger.ingest().receive(vec![event]).await.expect("ingested");
}

async fn react(messenger: &TestMessenger, name: &str, of: &EventId) -> EventId {
    let relation = json!({ "rel_type": "m.annotation", "event_id": of, "key": "✔\u{fe0f}" });
    deliver(messenger, name, "m.reaction", json!({ "m.relates_to": relation })).await
}

async fn reply(messenger: &TestMessenger, name: &str, of: &EventId, text: &str) {
    let relation = json!({ "m.in_reply_to": { "event_id": of } });
    let content = json!({ "msgtype": "m.text", "body": text, "m.relates_to": relation });
    deliver(messenger, name, "m.room.message", content).await;
}

/// Applies the waiting inputs, and returns the state.
async fn state(messenger: &TestMessenger) -> State {
    apply(messenger, None).await;
    messenger.memory.load(&[key()]).await.expect("loaded").remove(0).alarm.state()
}

/// Begins an alarm in the room of these users. Returns its root message.
async fn begun(messenger: &TestMessenger, users: &[(&str, Role)]) -> EventId {
    for (name, role) in users {
        ready_with(messenger, name, *role).await;
    }
    trigger(messenger, draft("Öldruck")).await;
    messenger.work().await;
    messages(messenger).pop().expect("a root message").event
}

#[tokio::test(start_paused = true)]
async fn reactions_and_replies_act_on_the_alarm() {
    let messenger = messenger().build();
    let root = begun(&messenger, &[("anna", Role::User), ("bert", Role::User)]).await;
    let reaction = react(&messenger, "anna", &root).await;
    assert_eq!(state(&messenger).await, State::ActiveAck);
    let of_bert = react(&messenger, "bert", &root).await;
    for (name, of, expected) in
        [("bert", &of_bert, State::ActiveAck), ("anna", &reaction, State::ActiveUnack)]
    {
        let sender = MatrixUserId::new(format!("@{name}:hub.local"));
        let redacted = messenger.homeserver.redact(&the_room(&messenger), &sender, of);
        ingest(&messenger, &redacted).await;
        assert_eq!(state(&messenger).await, expected, "{name}");
    }
    reply(&messenger, "bert", &root, "Ich schaue nach").await;
    assert_eq!(state(&messenger).await, State::ActiveUnack);
    reply(&messenger, "bert", &root, "Quittiert!").await;
    assert_eq!(state(&messenger).await, State::ActiveAck);
    // In a thread, a client names the last message only for clients without threads.
    let fallback = json!({ "event_id": "$last" });
    let relation = json!({
        "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": fallback,
    });
    let content = json!({ "msgtype": "m.text", "body": "erledigt", "m.relates_to": relation });
    deliver(&messenger, "anna", "m.room.message", content).await;
    assert_eq!(state(&messenger).await, State::Normal);
}

#[tokio::test(start_paused = true)]
async fn an_act_of_a_viewer_has_no_effect_and_is_answered_once() {
    let messenger = messenger().build();
    let root = begun(&messenger, &[("anna", Role::Viewer)]).await;
    react(&messenger, "anna", &root).await;
    reply(&messenger, "anna", &root, "ok").await;
    assert_eq!(state(&messenger).await, State::ActiveUnack);
    let notices = lines(&messenger).into_iter().filter(|line| line.contains("nur lesen"));
    assert_eq!(notices.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_act_counts_although_the_sender_of_the_root_message_was_killed() {
    for steps in 0..200 {
        let messenger = messenger().build();
        ready_with(&messenger, "anna", Role::User).await;
        let notification = trigger(&messenger, draft("Öldruck")).await;
        let ended = messenger.crash_after(steps, messenger.work()).await.is_none();
        assert!(ended, "the process never ends between the message and its result");
        let other = messenger.another_process();
        let Some(root) = messages(&other).pop() else { continue };
        assert_eq!(status(&other, &notification).await, Status::Pending);
        ingest(&other, &root.event).await;
        react(&other, "anna", &root.event).await;
        assert_eq!(state(&other).await, State::ActiveAck);
        return;
    }
    panic!("the work takes more steps");
}

#[tokio::test(start_paused = true)]
async fn an_act_on_an_earlier_episode_is_refused_and_answered_once() {
    let messenger = messenger().build();
    let earlier = begun(&messenger, &[("anna", Role::User)]).await;
    act(&messenger, Action::Cancel).await;
    pass(&messenger, REOPEN_WITHIN.unsigned_abs() + Duration::from_secs(1)).await;
    trigger(&messenger, draft("Öldruck")).await;
    messenger.work().await;
    react(&messenger, "anna", &earlier).await;
    reply(&messenger, "anna", &earlier, "quittiert").await;
    assert_eq!(state(&messenger).await, State::ActiveUnack);
    let notices = lines(&messenger).into_iter().filter(|line| line.contains("frühere Störung"));
    assert_eq!(notices.count(), 1);
}

/// Begins an alarm whose root message the homeserver has, and whose sender was killed before it stored the result.
async fn begun_by_a_killed_process() -> TestMessenger {
    for steps in 0..200 {
        let messenger = messenger().build();
        ready_with(&messenger, "anna", Role::User).await;
        trigger(&messenger, draft("Öldruck")).await;
        let ended = messenger.crash_after(steps, messenger.work()).await.is_none();
        assert!(ended, "the process never ends between the message and its result");
        if !messages(&messenger).is_empty() {
            return messenger.another_process();
        }
    }
    panic!("the work takes more steps");
}

#[tokio::test(start_paused = true)]
async fn an_act_counts_that_arrives_together_with_the_root_message() {
    for kind in ["m.reaction", "m.room.message"] {
        let messenger = begun_by_a_killed_process().await;
        let (room, anna) = (the_room(&messenger), MatrixUserId::new("@anna:hub.local"));
        let message = messages(&messenger).remove(0).event;
        let relation = match kind {
            "m.reaction" => json!({ "rel_type": "m.annotation", "event_id": message, "key": "✅" }),
            _ => json!({ "m.in_reply_to": { "event_id": message } }),
        };
        let content = json!({ "msgtype": "m.text", "body": "ok", "m.relates_to": relation });
        let act = messenger.homeserver.send_event(&room, &anna, kind, content);
        let events = [&message, &act].map(|event| messenger.homeserver.room_event(&room, event));
        messenger.ingest().receive(events.into()).await.expect("ingested");
        assert_eq!(state(&messenger).await, State::ActiveAck, "{kind}");
    }
}
