//! What we send comes back by push, or is read from the room when push is late.

use std::time::Duration;

use messenger_core::{
    id::RoomId,
    message::{Message, Said},
    user::Caller,
};
use messenger_testkit::{TestHub, hub};
use tokio::time::{Instant, sleep};

use crate::in_general_room;

/// Anna in the general room, which was read up to here.
async fn stand() -> (TestHub, Caller, RoomId) {
    let hub = hub().build();
    let (anna, room) = in_general_room(&hub, "anna").await;
    assert!(hub.reconcile("worker", Duration::ZERO).await.expect("it is read"));
    (hub, anna, room)
}

async fn say(hub: &TestHub, anna: &Caller, room: &RoomId, body: &str, transaction: Option<&str>) -> Message {
    hub.hub.send(anna, room, Said::text(body, "m.text"), transaction).await.expect("sent")
}

async fn push(hub: &TestHub, said: &Message) {
    hub.receive(vec![hub.homeserver.told(&said.room_id, &said.event_id)]).await.expect("received");
}

#[tokio::test(start_paused = true)]
async fn what_push_brings_is_not_read_from_the_room() {
    let (hub, anna, room) = stand().await;
    let before = hub.homeserver.calls();
    for n in 0..5 {
        let said = say(&hub, &anna, &room, &n.to_string(), None).await;
        push(&hub, &said).await;
    }
    let begin = Instant::now();
    hub.rooms_of(&anna).await.expect("rooms");
    assert_eq!(begin.elapsed(), Duration::ZERO, "nothing is left to wait for");
    sleep(Duration::from_secs(5)).await;
    assert_eq!(hub.homeserver.calls() - before, 5, "one call for each message");
    assert_eq!(hub.memory.summary(&room).count, 5);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_read_from_the_room_late_while_push_works_and_soon_when_it_does_not() {
    let (hub, anna, room) = stand().await;
    let other = say(&hub, &anna, &room, "pushed", None).await;
    let pushed = vec![hub.homeserver.told(&other.room_id, &other.event_id)];
    hub.receive_push(None, pushed.clone()).await.expect("received");
    let late = say(&hub, &anna, &room, "late", None).await;
    for _ in 0..10 {
        hub.receive_push(None, pushed.clone()).await.expect("received");
        assert_eq!(hub.memory.summary(&room).count, 1, "push works: the message is not read from the room");
        sleep(Duration::from_millis(90)).await;
    }
    sleep(Duration::from_millis(200)).await;
    assert_eq!(hub.memory.summary(&room).count, 2, "push works but has not brought it within a second");
    sleep(Duration::from_secs(1)).await;
    say(&hub, &anna, &room, "soon", None).await;
    sleep(Duration::from_millis(110)).await;
    assert_eq!(hub.memory.summary(&room).count, 3, "nothing was pushed lately: {late:?}");
}

#[tokio::test(start_paused = true)]
async fn what_push_has_brought_already_is_answered_as_it_was_said_first_without_another_call() {
    let (hub, anna, room) = stand().await;
    let first = say(&hub, &anna, &room, "once", Some("t1")).await;
    push(&hub, &first).await;
    let before = hub.homeserver.calls();
    let again = say(&hub, &anna, &room, "or otherwise", Some("t1")).await;
    assert_eq!(again, first);
    assert_eq!(hub.homeserver.calls() - before, 1);
    let begin = Instant::now();
    hub.rooms_of(&anna).await.expect("rooms");
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_looks_waits_for_what_was_sent_before_and_not_for_what_comes_after() {
    let (hub, anna, room) = stand().await;
    let others = {
        let (hub, anna, room) = (hub.clone(), anna.clone(), room.clone());
        tokio::spawn(async move {
            for n in 0..100 {
                say(&hub, &anna, &room, &n.to_string(), None).await;
                sleep(Duration::from_millis(20)).await;
            }
        })
    };
    sleep(Duration::from_millis(505)).await;
    let said = say(&hub, &anna, &room, "now", None).await;
    let begin = Instant::now();
    let rooms = hub.rooms_of(&anna).await.expect("rooms");
    assert!(begin.elapsed() <= Duration::from_millis(200), "{:?}", begin.elapsed());
    let shown = rooms.into_iter().find(|shown| shown.matrix_room_id == room).expect("the room");
    assert!(shown.last_message_ts >= Some(said.timestamp));
    others.abort();
}
