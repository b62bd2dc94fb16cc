//! Local echoes: sent messages return by push, or are read from the room if push is late.

use std::time::Duration;

use messenger_core::{
    id::RoomId,
    message::{Message, OutgoingMessage},
    user::Caller,
};
use messenger_testkit::{TestMessenger, messenger};
use tokio::time::{Instant, sleep};

use crate::in_general_room;

/// Returns Anna and the general room, which was read up to the present.
async fn fixture() -> (TestMessenger, Caller, RoomId) {
    let messenger = messenger().build();
    let (anna, room) = in_general_room(&messenger, "anna").await;
    assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled").is_held());
    (messenger, anna, room)
}

async fn send(
    messenger: &TestMessenger,
    anna: &Caller,
    room: &RoomId,
    body: &str,
    transaction: Option<&str>,
) -> Message {
    messenger
        .service
        .messages()
        .send(anna, room, OutgoingMessage::text(body, "m.text"), transaction)
        .await
        .expect("sent")
}

async fn push(messenger: &TestMessenger, message: &Message) {
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&message.room_id, &message.event_id)])
        .await
        .expect("received");
}

#[tokio::test(start_paused = true)]
async fn a_pushed_message_is_not_read_from_the_room() {
    let (messenger, anna, room) = fixture().await;
    let before = messenger.homeserver.calls();
    for n in 0..5 {
        let sent = send(&messenger, &anna, &room, &n.to_string(), None).await;
        push(&messenger, &sent).await;
    }
    let begin = Instant::now();
    messenger.rooms().list(&anna).await.expect("rooms");
    assert_eq!(begin.elapsed(), Duration::ZERO, "no echo is pending");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(messenger.homeserver.calls() - before, 5, "one call for each message");
    assert_eq!(messenger.memory.summary(&room).count, 5);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_read_from_the_room_late_if_push_works_and_soon_if_not() {
    let (messenger, anna, room) = fixture().await;
    let other = send(&messenger, &anna, &room, "pushed", None).await;
    let pushed = vec![messenger.homeserver.room_event(&other.room_id, &other.event_id)];
    messenger.push().receive(None, pushed.clone()).await.expect("received");
    let late = send(&messenger, &anna, &room, "late", None).await;
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
    send(&messenger, &anna, &room, "waited for", None).await;
    let begin = Instant::now();
    messenger.rooms().list(&anna).await.expect("rooms");
    assert!(begin.elapsed() < Duration::from_millis(250), "a reader does not wait for a late push");
    assert_eq!(messenger.memory.summary(&room).count, 3);
    sleep(Duration::from_secs(1)).await;
    send(&messenger, &anna, &room, "soon", None).await;
    sleep(Duration::from_millis(110)).await;
    assert_eq!(messenger.memory.summary(&room).count, 4, "nothing was pushed lately: {late:?}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_the_push_returns_the_first_message_without_another_call() {
    let (messenger, anna, room) = fixture().await;
    let first = send(&messenger, &anna, &room, "once", Some("t1")).await;
    push(&messenger, &first).await;
    let before = messenger.homeserver.calls();
    let again = send(&messenger, &anna, &room, "once", Some("t1")).await;
    assert_eq!(again, first);
    assert_eq!(messenger.homeserver.calls() - before, 1);
    let begin = Instant::now();
    messenger.rooms().list(&anna).await.expect("rooms");
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_reader_waits_for_earlier_messages_and_not_for_later_ones() {
    let (messenger, anna, room) = fixture().await;
    let others = {
        let (messenger, anna, room) = (messenger.clone(), anna.clone(), room.clone());
        tokio::spawn(async move {
            for n in 0..100 {
                send(&messenger, &anna, &room, &n.to_string(), None).await;
                sleep(Duration::from_millis(20)).await;
            }
        })
    };
    sleep(Duration::from_millis(505)).await;
    let sent = send(&messenger, &anna, &room, "now", None).await;
    let begin = Instant::now();
    let rooms = messenger.rooms().list(&anna).await.expect("rooms");
    assert!(begin.elapsed() <= Duration::from_millis(200), "{:?}", begin.elapsed());
    let shown = rooms.into_iter().find(|shown| shown.matrix_room_id == room).expect("the room");
    assert!(shown.last_message_ts >= Some(sent.timestamp));
    others.abort();
}
