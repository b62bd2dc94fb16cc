//! Saying something, reading it back, and what the worker brings.

use std::time::Duration;

use futures::future;
use messenger_core::{
    Error,
    error::Failure,
    event::{Audience, Event, Kind},
    id::{MatrixUserId, Position, RoomId},
    message::{Message, Said},
    user::{Caller, Identity, Role},
};
use messenger_testkit::{TestHub, given, hub};
use serde_json::json;
use tokio::time::Instant;

use crate::ready_caller;

/// A worker who does not wait.
async fn reconcile(hub: &TestHub) {
    assert!(hub.reconcile("worker", Duration::ZERO).await.expect("it is read"));
}

fn text(body: &str) -> Said {
    Said::text(body, "m.text")
}

async fn general(hub: &TestHub, caller: &Caller) -> RoomId {
    hub.memberships.of(given::TENANT, caller.user.id()).await.expect("rooms").remove(0)
}

/// Sends a message, and looks at the rooms: who does has what was just said.
async fn say(
    hub: &TestHub,
    caller: &Caller,
    room: &RoomId,
    said: Said,
    transaction: Option<&str>,
) -> Message {
    let said = hub.hub.send(caller, room, said, transaction).await.expect("sent");
    hub.rooms_of(caller).await.expect("rooms");
    said
}

async fn heard(hub: &TestHub, room: &RoomId) -> Vec<Event> {
    let audience = [Audience::Room(given::TENANT, room.clone())];
    hub.feed.after(Position(0), &audience, 1000).await.expect("events")
}

fn ids(events: &[Event]) -> Vec<String> {
    let id = |event: &Event| {
        let fields: serde_json::Value = serde_json::from_str(&event.json()).expect("JSON");
        fields["event_id"].as_str().expect("an id").to_owned()
    };
    events.iter().map(id).collect()
}

#[tokio::test]
async fn what_was_said_elsewhere_before_stands_before_what_is_said_here() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = general(&hub, &anna).await;
    reconcile(&hub).await;
    let elsewhere = MatrixUserId::new("@anna:hub.local");
    let mut expected: Vec<_> =
        (0..20).map(|n| hub.homeserver.says(&room, &elsewhere, &format!("{n}")).to_string()).collect();
    // To the homeserver each message takes a second.
    hub.clock.advance(Duration::from_mins(1));
    let own = say(&hub, &anna, &room, text("here"), None).await;
    expected.push(own.event_id.to_string());
    assert_eq!(ids(&heard(&hub, &room).await), expected);
    // Told again by push, in any order, and by the worker: nothing changes.
    hub.receive(vec![hub.homeserver.told(&room, &own.event_id)]).await.expect("received");
    reconcile(&hub).await;
    assert_eq!(ids(&heard(&hub, &room).await), expected);
    let summary = hub.memory.summary(&room);
    assert_eq!((summary.count, summary.last.as_deref()), (21, Some("here")));
    assert_eq!(hub.memory.unread(&room, anna.user.id()), 0);
}

#[tokio::test]
async fn what_push_never_told_comes_from_the_homeservers_stream_in_order() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = general(&hub, &anna).await;
    reconcile(&hub).await;
    let elsewhere = MatrixUserId::new("@anna:hub.local");
    // Many more than one answer of the stream holds.
    let said: Vec<_> =
        (0..350).map(|n| hub.homeserver.says(&room, &elsewhere, &format!("{n}")).to_string()).collect();
    reconcile(&hub).await;
    assert_eq!(ids(&heard(&hub, &room).await), said);
    assert!(!hub.another_process().reconcile("another", Duration::ZERO).await.expect("asked"));
}

#[tokio::test]
async fn a_retried_send_is_one_message_also_when_the_first_answer_was_lost() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = general(&hub, &anna).await;
    hub.homeserver.lose_answer(1);
    assert!(hub.hub.send(&anna, &room, text("once"), Some("t1")).await.is_err());
    let said = say(&hub, &anna, &room, text("once"), Some("t1")).await;
    assert_eq!(hub.homeserver.bodies(&room), ["once"]);
    assert_eq!(ids(&heard(&hub, &room).await), [said.event_id.to_string()]);
}

#[tokio::test]
async fn a_retry_is_answered_with_what_was_said_first() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = general(&hub, &anna).await;
    let first = say(&hub, &anna, &room, text("once"), Some("t1")).await;
    let again = say(&hub, &anna, &room, text("or otherwise"), Some("t1")).await;
    assert_eq!((again.event_id, again.body.as_str()), (first.event_id, "once"));
}

#[tokio::test]
async fn a_retry_is_answered_so_also_before_the_first_one_is_taken_in() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = general(&hub, &anna).await;
    let before = hub.homeserver.calls();
    let first = hub.hub.send(&anna, &room, text("once"), Some("t1")).await.expect("sent");
    assert_eq!(hub.homeserver.calls(), before + 1, "the first one costs nothing more");
    hub.clock.advance(Duration::from_secs(5));
    assert_eq!(hub.hub.send(&anna, &room, text("or otherwise"), Some("t1")).await.expect("sent"), first);
    // Nor does it matter that the first answer was lost: what the homeserver has was said.
    hub.homeserver.lose_answer(1);
    assert!(hub.hub.send(&anna, &room, text("really once"), Some("t2")).await.is_err());
    let again = hub.hub.send(&anna, &room, text("or otherwise"), Some("t2")).await.expect("sent");
    assert_eq!(again.body, "really once");
    // What the homeserver does not have was not said.
    hub.homeserver.fail_call(1, Failure::Unreachable);
    assert!(hub.hub.send(&anna, &room, text("never"), Some("t3")).await.is_err());
    let again = hub.hub.send(&anna, &room, text("at last"), Some("t3")).await.expect("sent");
    assert_eq!(again.body, "at last");
    assert_eq!(hub.homeserver.bodies(&room), ["once", "really once", "at last"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_waits_for_the_homeserver_once_and_whoever_looks_sees_it() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = general(&hub, &anna).await;
    reconcile(&hub).await;
    let slow = Duration::from_millis(200);
    hub.homeserver.act_late(slow);
    let (begin, before) = (Instant::now(), hub.homeserver.calls());
    let sending = (0..20).map(|n| hub.hub.send(&anna, &room, text(&format!("{n}")), None));
    for sent in future::join_all(sending).await {
        sent.expect("sent");
    }
    assert_eq!(begin.elapsed(), slow);
    let rooms = hub.rooms_of(&anna).await.expect("rooms");
    let shown = rooms.iter().find(|shown| shown.matrix_room_id == room).expect("the room");
    assert_eq!(shown.last_message.as_deref(), Some("19"));
    assert_eq!(heard(&hub, &room).await.len(), 20);
    let reads = hub.homeserver.calls() - before - 20;
    assert!(reads <= 3, "{reads} reads for 20 messages that were sent at once");
}

#[tokio::test]
async fn only_members_write_and_viewers_do_not() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = general(&hub, &anna).await;
    let calls = hub.homeserver.calls();
    let stranger = hub.caller("carl", given::OTHER_TENANT).await;
    let refused = hub.hub.send(&stranger, &room, text("x"), None).await.expect_err("no member");
    assert!(matches!(refused, Error::NotFound("room")), "{refused:?}");
    let viewer = Identity { role: Role::Viewer, ..anna.user.identity.clone() };
    let viewer = Caller { user: hub.sign_in(viewer).await.expect("signed in"), ..anna.clone() };
    let refused = hub.hub.send(&viewer, &room, text("x"), None).await.expect_err("a viewer");
    assert_eq!(refused.code(), "read_only_role");
    assert_eq!(hub.homeserver.calls(), calls, "the homeserver is not even asked");
    assert!(hub.history(&viewer, &room, None, 10).await.is_ok());
}

#[tokio::test]
async fn nobody_changes_the_words_of_somebody_else() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = general(&hub, &anna).await;
    let said = say(&hub, &anna, &room, text("mine"), None).await;
    let edit = |body: &str| {
        json!({
            "msgtype": "m.text", "body": "*", "m.new_content": { "msgtype": "m.text", "body": body },
            "m.relates_to": { "rel_type": "m.replace", "event_id": said.event_id },
        })
    };
    for (sender, body) in [("@bert:hub.local", "his"), ("@anna:hub.local", "better")] {
        let edit = hub.homeserver.happens(&room, &MatrixUserId::new(sender), "m.room.message", edit(body));
        hub.receive(vec![hub.homeserver.told(&room, &edit)]).await.expect("received");
    }
    let kinds: Vec<_> = heard(&hub, &room).await.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::NewMessage, Kind::MessageEdited]);
    let history = hub.history(&anna, &room, None, 10).await.expect("history");
    assert_eq!(history.messages[0].body, "better");
    assert_eq!(hub.memory.summary(&room).last.as_deref(), Some("better"));
}

#[tokio::test]
async fn what_the_bot_says_is_shown_under_its_name() {
    let hub = hub().build();
    let anna = ready_caller(&hub, "anna").await;
    let room = hub.send(given::draft("Hallo"), Duration::from_secs(1)).await.notification.room.expect("sent");
    let said = hub.history(&anna, &room, None, 10).await.expect("history").messages.remove(0);
    assert_eq!(
        (said.sender.as_str(), said.sender_display_name.as_str()),
        ("@messenger:hub.local", "Messenger")
    );
}
