//! The history visibility of rooms: a later member reads exactly the events that Matrix shows them.

use messenger_core::{
    cursor::Since,
    id::{MatrixUserId, RoomId},
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;

use crate::{NO_WAIT, ready_caller};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

async fn receive_text(messenger: &TestMessenger, room: &RoomId, body: &str) {
    let sent = messenger.homeserver.send_text(room, &matrix("anna"), body);
    messenger.ingest().receive(vec![messenger.homeserver.room_event(room, &sent)]).await.expect("received");
}

async fn bodies(messenger: &TestMessenger, caller: &Caller, room: &RoomId) -> Vec<String> {
    let page = messenger.history().page(caller, room, None, 10).await.expect("a page");
    page.messages.into_iter().map(|message| message.body).collect()
}

/// Returns a room of Anna's with this visibility, and with a message from before Bert's join.
async fn with_visibility(visibility: &str) -> (TestMessenger, Caller, Caller, RoomId) {
    let messenger = messenger().build();
    let (anna, bert) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
    ready_caller(&messenger, "carl").await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("carl")], false);
    let content = json!({ "history_visibility": visibility });
    messenger.homeserver.set_state(&room, &matrix("anna"), "m.room.history_visibility", content);
    receive_text(&messenger, &room, "geheim").await;
    (messenger, anna, bert, room)
}

async fn invite_bert(messenger: &TestMessenger, room: &RoomId) {
    let invited = messenger.homeserver.invite(room, &matrix("anna"), &matrix("bert"));
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(room, &invited)])
        .await
        .expect("received");
}

async fn polled(messenger: &TestMessenger, caller: &Caller) -> String {
    messenger.streams().poll(caller, &Since::Cursor("0".to_owned()), NO_WAIT).await.expect("a page").json()
}

#[tokio::test]
async fn a_later_member_reads_what_the_history_visibility_allows() {
    for (visibility, is_shown) in
        [("shared", true), ("world_readable", true), ("joined", false), ("invited", false)]
    {
        let (messenger, anna, bert, room) = with_visibility(visibility).await;
        invite_bert(&messenger, &room).await;
        let before = bodies(&messenger, &bert, &room).await;
        assert_eq!(before.contains(&"geheim".to_owned()), is_shown, "{visibility}");
        let listed = messenger.rooms().list(&bert).await.expect("rooms");
        let listed = listed.iter().find(|seen| seen.matrix_room_id == room).expect("the room");
        assert_eq!(listed.last_message.as_deref(), is_shown.then_some("geheim"), "{visibility}");
        // The room list may show the message, but it is not published as new.
        assert!(!polled(&messenger, &bert).await.contains(r#""body":"geheim""#), "{visibility}");
        assert_eq!(polled(&messenger, &bert).await.contains("geheim"), is_shown, "{visibility}");
        receive_text(&messenger, &room, "offen").await;
        assert!(bodies(&messenger, &bert, &room).await.contains(&"offen".to_owned()), "{visibility}");
        assert!(polled(&messenger, &bert).await.contains("offen"));
        assert_eq!(bodies(&messenger, &anna, &room).await, ["offen", "geheim"], "{visibility}");
        assert!(polled(&messenger, &anna).await.contains("geheim"));
    }
}

#[tokio::test]
async fn a_changed_visibility_counts_for_later_messages() {
    let (messenger, _, bert, room) = with_visibility("shared").await;
    let set = async |visibility: &str| {
        let content = json!({ "history_visibility": visibility });
        let set =
            messenger.homeserver.set_state(&room, &matrix("anna"), "m.room.history_visibility", content);
        messenger
            .ingest()
            .receive(vec![messenger.homeserver.room_event(&room, &set)])
            .await
            .expect("received");
    };
    set("joined").await;
    receive_text(&messenger, &room, "nur für uns").await;
    set("shared").await;
    receive_text(&messenger, &room, "für alle").await;
    invite_bert(&messenger, &room).await;
    assert_eq!(bodies(&messenger, &bert, &room).await, ["für alle", "geheim"]);
}

#[tokio::test]
async fn a_resumed_stream_has_no_events_from_before_the_join() {
    let (messenger, _, bert, room) = with_visibility("shared").await;
    let _broker = messenger.run_broker();
    invite_bert(&messenger, &room).await;
    receive_text(&messenger, &room, "offen").await;
    let mut stream = messenger.streams().subscribe(&bert, Some("0")).await.expect("a stream");
    let preamble = stream.next().await.expect("the beginning");
    let preamble = String::from_utf8_lossy(&preamble).into_owned();
    assert!(preamble.contains(r#""body":"offen""#) && !preamble.contains(r#""body":"geheim""#), "{preamble}");
    let rooms = messenger.ports.memberships.of(fixtures::TENANT, bert.user.id()).await.expect("rooms");
    assert_eq!(rooms.len(), 2);
}
