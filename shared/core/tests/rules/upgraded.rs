//! Room upgrades: the successor takes the place of the old room.

use messenger_core::{
    Error,
    event::Kind,
    id::{MatrixUserId, RoomId},
    message::OutgoingMessage,
    notification::Status,
    room::RoomKey,
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{WAIT, in_general_room, ready_caller};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

async fn receive_text(messenger: &TestMessenger, room: &RoomId, user: &str, body: &str) {
    let sent = messenger.homeserver.send_text(room, &matrix(user), body);
    messenger.ingest().receive(vec![messenger.homeserver.room_event(room, &sent)]).await.expect("received");
}

/// Returns Anna and Bert in a room with messages that Anna created with another client.
async fn in_adopted_room() -> (TestMessenger, Caller, Caller, RoomId) {
    let messenger = messenger().build();
    let (anna, bert) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], false);
    for body in ["eins", "zwei"] {
        receive_text(&messenger, &room, "anna", body).await;
    }
    (messenger, anna, bert, room)
}

async fn listed(messenger: &TestMessenger, caller: &Caller) -> Vec<RoomId> {
    let rooms = messenger.rooms().list(caller).await.expect("rooms");
    rooms.into_iter().map(|room| room.matrix_room_id).filter(|room| !is_general(messenger, room)).collect()
}

fn is_general(messenger: &TestMessenger, room: &RoomId) -> bool {
    messenger.homeserver.creation_request(room).name == "Allgemein"
}

async fn history(messenger: &TestMessenger, caller: &Caller, room: &RoomId) -> Vec<String> {
    let (mut bodies, mut from) = (Vec::new(), None);
    for _ in 0..20 {
        let page = messenger.history().page(caller, room, from.as_deref(), 1).await.expect("a page");
        bodies.extend(page.messages.into_iter().map(|message| message.body));
        match page.end_token {
            Some(end) => from = Some(end),
            None => break,
        }
    }
    bodies
}

#[tokio::test]
async fn an_upgraded_room_is_listed_once_and_its_members_move_with_it() {
    let (messenger, anna, bert, old) = in_adopted_room().await;
    let (new, tombstone) = messenger.homeserver.upgrade_room(&old, &matrix("anna"));
    let tombstone = messenger.homeserver.room_event(&old, &tombstone);
    messenger.ingest().receive(vec![tombstone.clone()]).await.expect("received");
    for caller in [&anna, &bert] {
        assert_eq!(listed(&messenger, caller).await, std::slice::from_ref(&new));
    }
    assert!(messenger.homeserver.members(&new).contains(&matrix("bert")));
    assert_eq!(messenger.rooms().list(&bert).await.expect("rooms")[0].unread_count, 2);
    // A repeated tombstone changes nothing.
    let events = messenger.memory.events().len();
    messenger.ingest().receive(vec![tombstone]).await.expect("received");
    assert_eq!(messenger.memory.events().len(), events);
    receive_text(&messenger, &new, "anna", "drei").await;
    messenger
        .service
        .messages()
        .send(&bert, &new, OutgoingMessage::text("vier", "m.text"), None)
        .await
        .expect("sent");
    // The messages of the old room follow, page by page.
    assert_eq!(history(&messenger, &anna, &new).await, ["vier", "drei", "zwei", "eins"]);
    assert_eq!(history(&messenger, &anna, &old).await, ["zwei", "eins"]);
    // The error for the old room names the successor, for its members only.
    let send = async |caller: &Caller| {
        messenger
            .service
            .messages()
            .send(caller, &old, OutgoingMessage::text("x", "m.text"), None)
            .await
            .expect_err("refused")
    };
    assert!(matches!(send(&bert).await, Error::Upgraded { successor: Some(room) } if room == new));
    let carl = ready_caller(&messenger, "carl").await;
    assert_eq!(send(&carl).await.code(), "not_found");
    for error in [
        messenger.rooms().invite(&bert, &old, "carl").await.expect_err("refused"),
        messenger.rooms().members(&bert, &old).await.expect_err("refused"),
        messenger.rooms().mark_read(&bert, &old).await.expect_err("refused"),
        messenger.rooms().join(&bert, &old).await.expect_err("refused"),
        messenger.service.rooms().leave(&bert, &old).await.expect_err("refused"),
        messenger.messages().set_typing(&bert, &old, None).await.expect_err("refused"),
    ] {
        assert_eq!(error.code(), "room_upgraded");
    }
}

#[tokio::test]
async fn a_later_member_reads_the_messages_of_the_successor_only() {
    let (messenger, _, _, old) = in_adopted_room().await;
    let (new, tombstone) = messenger.homeserver.upgrade_room(&old, &matrix("anna"));
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&old, &tombstone)])
        .await
        .expect("received");
    receive_text(&messenger, &new, "anna", "drei").await;
    let carl = ready_caller(&messenger, "carl").await;
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    messenger.rooms().invite(&anna, &new, "carl").await.expect("invited");
    assert_eq!(history(&messenger, &carl, &new).await, ["drei"]);
    let token =
        messenger.history().page(&anna, &new, None, 1).await.expect("a page").end_token.expect("more");
    assert!(!token.contains(new.as_str()));
    // A page token of another room is refused.
    let (_, general) = in_general_room(&messenger, "carl").await;
    for wrong in [format!("||{general}"), format!("|$x|{old}|"), "||".to_owned(), format!("||{new}")] {
        let error = messenger.history().page(&carl, &new, Some(&wrong), 5).await.expect_err("refused");
        assert_eq!(error.code(), "invalid_request", "{wrong}");
    }
}

#[tokio::test]
async fn a_successor_that_was_adopted_before_the_tombstone_is_merged() {
    let (messenger, _, bert, old) = in_adopted_room().await;
    let (new, tombstone) = messenger.homeserver.upgrade_room(&old, &matrix("anna"));
    receive_text(&messenger, &new, "anna", "drei").await;
    assert_eq!(listed(&messenger, &bert).await, std::slice::from_ref(&new));
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&old, &tombstone)])
        .await
        .expect("received");
    assert_eq!(listed(&messenger, &bert).await, [new]);
}

#[tokio::test]
async fn a_room_replaces_another_only_if_both_name_each_other() {
    let (messenger, anna, _, old) = in_adopted_room().await;
    let carl = ready_caller(&messenger, "carl").await;
    let claimed = messenger.homeserver.create_room_as(&matrix("carl"), &[&matrix("anna")], false);
    messenger.homeserver.set_predecessor(&claimed, &old);
    receive_text(&messenger, &claimed, "carl", "mein Raum").await;
    let mut rooms = listed(&messenger, &anna).await;
    rooms.sort_unstable();
    let mut expected = vec![old.clone(), claimed.clone()];
    expected.sort_unstable();
    assert_eq!(rooms, expected);
    assert_eq!(history(&messenger, &carl, &claimed).await, ["mein Raum"]);
    // A tombstone does not lead to a room that does not name its predecessor.
    let unrelated = messenger.homeserver.create_room_as(&matrix("anna"), &[], false);
    let tombstone = messenger.homeserver.send_tombstone(&old, &matrix("anna"), &unrelated);
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&old, &tombstone)])
        .await
        .expect("received");
    assert!(listed(&messenger, &anna).await.contains(&old));
}

#[tokio::test]
async fn a_room_upgraded_by_the_bot_keeps_its_key() {
    let messenger = messenger().build();
    let (anna, general) = in_general_room(&messenger, "anna").await;
    let sent = messenger.send(fixtures::draft("vorher"), WAIT).await;
    assert_eq!(sent.notification.room.as_ref(), Some(&general));
    let (new, tombstone) = messenger.homeserver.upgrade_room(&general, &matrix("messenger"));
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&general, &tombstone)])
        .await
        .expect("received");
    let sent = messenger.send(fixtures::draft("nachher"), WAIT).await;
    assert_eq!((sent.notification.status, sent.notification.room.as_ref()), (Status::Sent, Some(&new)));
    assert_eq!(messenger.homeserver.bodies(&new).len(), 1);
    let rooms = messenger.rooms().list(&anna).await.expect("rooms");
    assert_eq!(rooms.iter().map(|room| &room.matrix_room_id).collect::<Vec<_>>(), [&new]);
    let key = RoomKey { tenant: fixtures::TENANT, kind: messenger_core::room::RoomKind::General };
    assert_eq!(messenger.registry().find(&key).await.expect("looked up"), Some(new.clone()));
    assert_eq!(history(&messenger, &anna, &new).await.len(), 2);
    // A later member reads all messages of the general room.
    let bert = ready_caller(&messenger, "bert").await;
    assert_eq!(history(&messenger, &bert, &new).await.len(), 2);
    let kinds: Vec<_> = messenger.memory.events().iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&Kind::RoomLeft));
}
