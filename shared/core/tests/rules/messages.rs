//! Sending messages, reading history, and messages that the worker reads.

use std::time::Duration;

use futures::future;
use messenger_core::{
    Error,
    error::Failure,
    event::{Audience, Event, Kind},
    id::{MatrixUserId, Position, RoomId},
    message::{Mentions, Message, OutgoingMessage},
    user::{Caller, Identity, Role},
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;
use tokio::time::Instant;

use crate::ready_caller;

/// Reconciles once, without waiting.
async fn reconcile(messenger: &TestMessenger) {
    assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled").is_held());
}

fn text(body: &str) -> OutgoingMessage {
    OutgoingMessage::text(body, "m.text")
}

async fn general(messenger: &TestMessenger, caller: &Caller) -> RoomId {
    messenger.ports.memberships.of(fixtures::TENANT, caller.user.id()).await.expect("rooms").remove(0)
}

/// Sends a message and reads the room list, which waits for the local echo.
async fn send_and_read(
    messenger: &TestMessenger,
    caller: &Caller,
    room: &RoomId,
    content: OutgoingMessage,
    transaction: Option<&str>,
) -> Message {
    let sent = messenger.service.messages().send(caller, room, content, transaction).await.expect("sent");
    messenger.rooms().list(caller).await.expect("rooms");
    sent
}

async fn published(messenger: &TestMessenger, room: &RoomId) -> Vec<Event> {
    let audience = [Audience::Room(fixtures::TENANT, room.clone())];
    messenger.ports.feed.after(Position(0), &fixtures::all_of(&audience), 1000).await.expect("events")
}

fn ids(events: &[Event]) -> Vec<String> {
    let id = |event: &Event| {
        let fields: serde_json::Value = serde_json::from_str(&event.json()).expect("JSON");
        fields["event_id"].as_str().expect("an id").to_owned()
    };
    events.iter().map(id).collect()
}

#[tokio::test]
async fn earlier_messages_of_other_clients_precede_a_sent_message() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    reconcile(&messenger).await;
    let anna_id = MatrixUserId::new("@anna:hub.local");
    let mut expected: Vec<_> = (0..20)
        .map(|n| messenger.homeserver.send_text(&room, &anna_id, &format!("{n}")).to_string())
        .collect();
    // Each event of the homeserver is one second later than the one before.
    messenger.clock.advance(Duration::from_mins(1));
    let own = send_and_read(&messenger, &anna, &room, text("here"), None).await;
    expected.push(own.event_id.to_string());
    assert_eq!(ids(&published(&messenger, &room).await), expected);
    // Repetitions by push and by the worker change nothing.
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&room, &own.event_id)])
        .await
        .expect("received");
    reconcile(&messenger).await;
    assert_eq!(ids(&published(&messenger, &room).await), expected);
    let summary = messenger.memory.summary(&room);
    assert_eq!((summary.count, summary.last.as_deref()), (21, Some("here")));
    assert_eq!(messenger.memory.unread(&room, anna.user.id()), 0);
}

#[tokio::test]
async fn messages_that_were_never_pushed_are_read_by_sync_in_order() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    reconcile(&messenger).await;
    let anna_id = MatrixUserId::new("@anna:hub.local");
    // Many more than one response to `/sync` has.
    let sent: Vec<_> = (0..350)
        .map(|n| messenger.homeserver.send_text(&room, &anna_id, &format!("{n}")).to_string())
        .collect();
    reconcile(&messenger).await;
    assert_eq!(ids(&published(&messenger, &room).await), sent);
    assert!(
        messenger
            .another_process()
            .reconcile()
            .run("another", Duration::ZERO)
            .await
            .expect("asked")
            .is_lost()
    );
}

#[tokio::test]
async fn a_retried_send_is_one_message_also_if_the_first_response_was_lost() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    messenger.homeserver.lose_response(1);
    assert!(messenger.service.messages().send(&anna, &room, text("once"), Some("t1")).await.is_err());
    let sent = send_and_read(&messenger, &anna, &room, text("once"), Some("t1")).await;
    assert_eq!(messenger.homeserver.bodies(&room), ["once"]);
    assert_eq!(ids(&published(&messenger, &room).await), [sent.event_id.to_string()]);
}

#[tokio::test]
async fn a_retry_returns_the_first_message() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    let first = send_and_read(&messenger, &anna, &room, text("once"), Some("t1")).await;
    messenger.clock.advance(Duration::from_secs(5));
    let again = send_and_read(&messenger, &anna, &room, text("once"), Some("t1")).await;
    assert_eq!(again, first);
}

#[tokio::test]
async fn a_retry_with_another_message_is_refused_in_each_process() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    let replied = send_and_read(&messenger, &anna, &room, text("Wer kommt?"), None).await.event_id;
    let quoting = OutgoingMessage { reply_to: Some(replied), ..text("> <@bert:hub.local> Ich?\n\nIch") };
    send_and_read(&messenger, &anna, &room, text("once"), Some("t1")).await;
    send_and_read(&messenger, &anna, &room, quoting.clone(), Some("t2")).await;
    for process in [messenger.another_process(), messenger] {
        for (retry, transaction) in [
            (text("or otherwise"), "t1"),
            (OutgoingMessage { msg_type: "m.notice".to_owned(), ..text("once") }, "t1"),
            (OutgoingMessage { mentions: Mentions { room: true, users: vec![] }, ..text("once") }, "t1"),
            (OutgoingMessage { reply_to: quoting.reply_to.clone(), ..text("once") }, "t1"),
            (OutgoingMessage { body: "Du?".to_owned(), ..quoting.clone() }, "t2"),
        ] {
            let refused = process.service.messages().send(&anna, &room, retry, Some(transaction)).await;
            assert_eq!(refused.expect_err("another message").code(), "idempotency_mismatch");
        }
        send_and_read(&process, &anna, &room, text("once"), Some("t1")).await;
        send_and_read(&process, &anna, &room, quoting.clone(), Some("t2")).await;
        assert_eq!(process.homeserver.bodies(&room).len(), 3);
    }
}

#[tokio::test]
async fn a_message_that_was_edited_meanwhile_is_still_a_retry() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    let sent = send_and_read(&messenger, &anna, &room, text("ocne"), Some("t1")).await;
    let edit = messenger.service.messages().edit(&anna, &room, &sent.event_id, text("once"), None).await;
    assert_eq!(edit.expect("edited").body, "once");
    let again = messenger.another_process();
    let again = again.service.messages().send(&anna, &room, text("ocne"), Some("t1")).await;
    assert_eq!(again.expect("sent").event_id, sent.event_id);
}

#[tokio::test]
async fn a_retry_returns_the_first_message_also_before_it_is_ingested() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    let before = messenger.homeserver.calls();
    let first =
        messenger.service.messages().send(&anna, &room, text("once"), Some("t1")).await.expect("sent");
    assert_eq!(messenger.homeserver.calls(), before + 1, "the first send makes one call");
    messenger.clock.advance(Duration::from_secs(5));
    assert_eq!(
        messenger.service.messages().send(&anna, &room, text("once"), Some("t1")).await.expect("sent"),
        first
    );
    // A message whose response was lost was sent: the homeserver has it.
    messenger.homeserver.lose_response(1);
    assert!(messenger.service.messages().send(&anna, &room, text("really once"), Some("t2")).await.is_err());
    let otherwise = messenger.service.messages().send(&anna, &room, text("or otherwise"), Some("t2")).await;
    assert_eq!(otherwise.expect_err("another message").code(), "idempotency_mismatch");
    let again =
        messenger.service.messages().send(&anna, &room, text("really once"), Some("t2")).await.expect("sent");
    assert_eq!(again.body, "really once");
    // A message that the homeserver does not have was not sent.
    messenger.homeserver.fail_call(1, Failure::Unreachable);
    assert!(messenger.service.messages().send(&anna, &room, text("never"), Some("t3")).await.is_err());
    let again =
        messenger.service.messages().send(&anna, &room, text("at last"), Some("t3")).await.expect("sent");
    assert_eq!(again.body, "at last");
    assert_eq!(messenger.homeserver.bodies(&room), ["once", "really once", "at last"]);
}

#[tokio::test(start_paused = true)]
async fn a_sender_waits_for_the_homeserver_once_and_a_reader_sees_the_message() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    reconcile(&messenger).await;
    let slow = Duration::from_millis(200);
    messenger.homeserver.delay_requests(slow);
    let (begin, before) = (Instant::now(), messenger.homeserver.calls());
    let sending =
        (0..20).map(|n| messenger.service.messages().send(&anna, &room, text(&format!("{n}")), None));
    for sent in future::join_all(sending).await {
        sent.expect("sent");
    }
    assert_eq!(begin.elapsed(), slow);
    let rooms = messenger.rooms().list(&anna).await.expect("rooms");
    let shown = rooms.iter().find(|shown| shown.matrix_room_id == room).expect("the room");
    assert_eq!(shown.last_message.as_deref(), Some("19"));
    assert_eq!(published(&messenger, &room).await.len(), 20);
    let reads = messenger.homeserver.calls() - before - 20;
    assert!(reads <= 3, "{reads} reads for 20 messages that were sent at once");
}

#[tokio::test]
async fn only_members_write_and_viewers_do_not() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    let calls = messenger.homeserver.calls();
    let foreign = messenger.caller("carl", fixtures::OTHER_TENANT).await;
    let refused =
        messenger.service.messages().send(&foreign, &room, text("x"), None).await.expect_err("no member");
    assert!(matches!(refused, Error::NotFound("room")), "{refused:?}");
    let viewer = Identity { role: Role::Viewer, ..anna.user.identity.clone() };
    let viewer = Caller { user: messenger.users().sign_in(viewer).await.expect("signed in"), ..anna.clone() };
    let refused =
        messenger.service.messages().send(&viewer, &room, text("x"), None).await.expect_err("a viewer");
    assert_eq!(refused.code(), "read_only_role");
    assert_eq!(messenger.homeserver.calls(), calls, "the homeserver is not called");
    assert!(messenger.history().page(&viewer, &room, None, 10).await.is_ok());
}

#[tokio::test]
async fn an_edit_by_another_user_is_ignored() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = general(&messenger, &anna).await;
    let sent = send_and_read(&messenger, &anna, &room, text("mine"), None).await;
    let edit = |body: &str| {
        json!({
            "msgtype": "m.text", "body": "*", "m.new_content": { "msgtype": "m.text", "body": body },
            "m.relates_to": { "rel_type": "m.replace", "event_id": sent.event_id },
        })
    };
    for (sender, body) in [("@bert:hub.local", "his"), ("@anna:hub.local", "better")] {
        let edit =
            messenger.homeserver.send_event(&room, &MatrixUserId::new(sender), "m.room.message", edit(body));
        messenger
            .ingest()
            .receive(vec![messenger.homeserver.room_event(&room, &edit)])
            .await
            .expect("received");
    }
    let kinds: Vec<_> = published(&messenger, &room).await.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::NewMessage, Kind::MessageEdited]);
    let history = messenger.history().page(&anna, &room, None, 10).await.expect("history");
    assert_eq!(history.messages[0].body, "better");
    assert_eq!(messenger.memory.summary(&room).last.as_deref(), Some("better"));
}

#[tokio::test]
async fn messages_of_the_bot_are_shown_under_its_name() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = messenger
        .send(fixtures::draft("Hallo"), Duration::from_secs(1))
        .await
        .notification
        .room
        .expect("sent");
    let message = messenger.history().page(&anna, &room, None, 10).await.expect("history").messages.remove(0);
    assert_eq!(
        (message.sender.as_str(), message.sender_display_name.as_str()),
        ("@messenger:hub.local", "Messenger")
    );
}
