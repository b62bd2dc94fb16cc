//! What we send comes back by push, or is read from the room when push is late.

use std::time::Duration;

use messenger_core::{
    id::RoomId,
    message::{Message, MessageContent},
    user::Caller,
};
use messenger_testkit::{TestMessenger, messenger};
use tokio::time::{Instant, sleep};

use crate::in_general_room;

/// Anna in the general room, which was read up to here.
async fn stand() -> (TestMessenger, Caller, RoomId) {
    let messenger = messenger().build();
    let (anna, room) = in_general_room(&messenger, "anna").await;
    assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("it is read"));
    (messenger, anna, room)
}

async fn say(
    messenger: &TestMessenger,
    anna: &Caller,
    room: &RoomId,
    body: &str,
    transaction: Option<&str>,
) -> Message {
    messenger.service.send(anna, room, MessageContent::text(body, "m.text"), transaction).await.expect("sent")
}

async fn push(messenger: &TestMessenger, said: &Message) {
    messenger
        .receive(vec![messenger.homeserver.room_event(&said.room_id, &said.event_id)])
        .await
        .expect("received");
}

#[tokio::test(start_paused = true)]
async fn what_push_brings_is_not_read_from_the_room() {
    let (messenger, anna, room) = stand().await;
    let before = messenger.homeserver.calls();
    for n in 0..5 {
        let said = say(&messenger, &anna, &room, &n.to_string(), None).await;
        push(&messenger, &said).await;
    }
    let begin = Instant::now();
    messenger.rooms().list(&anna).await.expect("rooms");
    assert_eq!(begin.elapsed(), Duration::ZERO, "nothing is left to wait for");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(messenger.homeserver.calls() - before, 5, "one call for each message");
    assert_eq!(messenger.memory.summary(&room).count, 5);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_read_from_the_room_late_while_push_works_and_soon_when_it_does_not() {
    let (messenger, anna, room) = stand().await;
    let other = say(&messenger, &anna, &room, "pushed", None).await;
    let pushed = vec![messenger.homeserver.room_event(&other.room_id, &other.event_id)];
    messenger.receive_push(None, pushed.clone()).await.expect("received");
    let late = say(&messenger, &anna, &room, "late", None).await;
    for _ in 0..5 {
        messenger.push().receive(None, pushed.clone()).await.expect("received");
        assert_eq!(
            messenger.memory.summary(&room).count,
            1,
            "push works: the message is not read from the room"
        );
        sleep(Duration::from_millis(90)).await;
    }
    sleep(Duration::from_millis(200)).await;
    assert_eq!(messenger.memory.summary(&room).count, 2, "push works but has not brought it in time");
    messenger.push().receive(None, pushed.clone()).await.expect("received");
    say(&messenger, &anna, &room, "looked for", None).await;
    let begin = Instant::now();
    messenger.rooms().list(&anna).await.expect("rooms");
    assert!(begin.elapsed() < Duration::from_millis(250), "a reader does not wait for a late push");
    assert_eq!(messenger.memory.summary(&room).count, 3);
    sleep(Duration::from_secs(1)).await;
    say(&messenger, &anna, &room, "soon", None).await;
    sleep(Duration::from_millis(110)).await;
    assert_eq!(messenger.memory.summary(&room).count, 4, "nothing was pushed lately: {late:?}");
}

#[tokio::test(start_paused = true)]
async fn what_push_has_brought_already_is_answered_as_it_was_said_first_without_another_call() {
    let (messenger, anna, room) = stand().await;
    let first = say(&messenger, &anna, &room, "once", Some("t1")).await;
    push(&messenger, &first).await;
    let before = messenger.homeserver.calls();
    let again = say(&messenger, &anna, &room, "or otherwise", Some("t1")).await;
    assert_eq!(again, first);
    assert_eq!(messenger.homeserver.calls() - before, 1);
    let begin = Instant::now();
    messenger.rooms().list(&anna).await.expect("rooms");
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_looks_waits_for_what_was_sent_before_and_not_for_what_comes_after() {
    let (messenger, anna, room) = stand().await;
    let others = {
        let (messenger, anna, room) = (messenger.clone(), anna.clone(), room.clone());
        tokio::spawn(async move {
            for n in 0..100 {
                say(&messenger, &anna, &room, &n.to_string(), None).await;
                sleep(Duration::from_millis(20)).await;
            }
        })
    };
    sleep(Duration::from_millis(505)).await;
    let said = say(&messenger, &anna, &room, "now", None).await;
    let begin = Instant::now();
    let rooms = messenger.rooms().list(&anna).await.expect("rooms");
    assert!(begin.elapsed() <= Duration::from_millis(200), "{:?}", begin.elapsed());
    let shown = rooms.into_iter().find(|shown| shown.matrix_room_id == room).expect("the room");
    assert!(shown.last_message_ts >= Some(said.timestamp));
    others.abort();
}
