//! Rooms that are replaced by another: the successor takes their place.

use messenger_core::{
    Error,
    event::Kind,
    id::{MatrixUserId, RoomId},
    message::Said,
    notification::Status,
    room::RoomKey,
    user::Caller,
};
use messenger_testkit::{TestHub, given, hub};

use crate::{WAIT, in_general_room, ready_caller};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

async fn say(hub: &TestHub, room: &RoomId, user: &str, body: &str) {
    let said = hub.homeserver.says(room, &matrix(user), body);
    hub.receive(vec![hub.homeserver.told(room, &said)]).await.expect("heard");
}

/// Anna and Bert in a room that Anna made with another client, and what was said in it.
async fn in_adopted_room() -> (TestHub, Caller, Caller, RoomId) {
    let hub = hub().build();
    let (anna, bert) = (ready_caller(&hub, "anna").await, ready_caller(&hub, "bert").await);
    let room = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("bert")], false);
    for body in ["eins", "zwei"] {
        say(&hub, &room, "anna", body).await;
    }
    (hub, anna, bert, room)
}

async fn listed(hub: &TestHub, caller: &Caller) -> Vec<RoomId> {
    let rooms = hub.rooms_of(caller).await.expect("rooms");
    rooms.into_iter().map(|room| room.matrix_room_id).filter(|room| !is_general(hub, room)).collect()
}

fn is_general(hub: &TestHub, room: &RoomId) -> bool {
    hub.homeserver.asked(room).name == "Allgemein"
}

async fn history(hub: &TestHub, caller: &Caller, room: &RoomId) -> Vec<String> {
    let (mut bodies, mut from) = (Vec::new(), None);
    for _ in 0..20 {
        let page = hub.history(caller, room, from.as_deref(), 1).await.expect("a page");
        bodies.extend(page.messages.into_iter().map(|message| message.body));
        match page.end_token {
            Some(end) => from = Some(end),
            None => break,
        }
    }
    bodies
}

#[tokio::test]
async fn an_upgraded_room_is_listed_once_and_its_members_follow() {
    let (hub, anna, bert, old) = in_adopted_room().await;
    let (new, tombstone) = hub.homeserver.upgrades(&old, &matrix("anna"));
    let tombstone = hub.homeserver.told(&old, &tombstone);
    hub.receive(vec![tombstone.clone()]).await.expect("heard");
    for caller in [&anna, &bert] {
        assert_eq!(listed(&hub, caller).await, std::slice::from_ref(&new));
    }
    assert!(hub.homeserver.members(&new).contains(&matrix("bert")));
    assert_eq!(hub.rooms_of(&bert).await.expect("rooms")[0].unread_count, 2);
    // Told again, by push or by the worker, it changes nothing.
    let events = hub.memory.events().len();
    hub.receive(vec![tombstone]).await.expect("heard");
    assert_eq!(hub.memory.events().len(), events);
    say(&hub, &new, "anna", "drei").await;
    hub.hub.send(&bert, &new, Said::text("vier", "m.text"), None).await.expect("sent");
    // What was said before stands behind it, page by page.
    assert_eq!(history(&hub, &anna, &new).await, ["vier", "drei", "zwei", "eins"]);
    assert_eq!(history(&hub, &anna, &old).await, ["zwei", "eins"]);
    // The old room says where they are now, to its members only.
    let send = async |caller: &Caller| {
        hub.hub.send(caller, &old, Said::text("x", "m.text"), None).await.expect_err("refused")
    };
    assert!(matches!(send(&bert).await, Error::Upgraded { successor: Some(room) } if room == new));
    let carl = ready_caller(&hub, "carl").await;
    assert_eq!(send(&carl).await.code(), "not_found");
    for error in [
        hub.invite(&bert, &old, "carl").await.expect_err("refused"),
        hub.members(&bert, &old).await.expect_err("refused"),
        hub.mark_read(&bert, &old).await.expect_err("refused"),
        hub.join_room(&bert, &old).await.expect_err("refused"),
        hub.hub.leave(&bert, &old).await.expect_err("refused"),
        hub.type_in(&bert, &old, None).await.expect_err("refused"),
    ] {
        assert_eq!(error.code(), "room_upgraded");
    }
}

#[tokio::test]
async fn who_comes_later_reads_what_was_said_in_the_successor_only() {
    let (hub, _, _, old) = in_adopted_room().await;
    let (new, tombstone) = hub.homeserver.upgrades(&old, &matrix("anna"));
    hub.receive(vec![hub.homeserver.told(&old, &tombstone)]).await.expect("heard");
    say(&hub, &new, "anna", "drei").await;
    let carl = ready_caller(&hub, "carl").await;
    let anna = hub.caller("anna", given::TENANT).await;
    hub.invite(&anna, &new, "carl").await.expect("invited");
    assert_eq!(history(&hub, &carl, &new).await, ["drei"]);
    let token = hub.history(&anna, &new, None, 1).await.expect("a page").end_token.expect("more");
    assert!(!token.contains(new.as_str()));
    // A token that names another room leads nowhere.
    let (_, general) = in_general_room(&hub, "carl").await;
    for wrong in [format!("||{general}"), format!("|$x|{old}|"), "||".to_owned(), format!("||{new}")] {
        let error = hub.history(&carl, &new, Some(&wrong), 5).await.expect_err("refused");
        assert_eq!(error.code(), "invalid_request", "{wrong}");
    }
}

#[tokio::test]
async fn a_successor_is_taken_over_when_it_is_heard_of_before_the_tombstone() {
    let (hub, _, bert, old) = in_adopted_room().await;
    let (new, tombstone) = hub.homeserver.upgrades(&old, &matrix("anna"));
    say(&hub, &new, "anna", "drei").await;
    assert_eq!(listed(&hub, &bert).await, std::slice::from_ref(&new));
    hub.receive(vec![hub.homeserver.told(&old, &tombstone)]).await.expect("heard");
    assert_eq!(listed(&hub, &bert).await, [new]);
}

#[tokio::test]
async fn nobody_makes_a_room_the_successor_of_another_against_its_will() {
    let (hub, anna, _, old) = in_adopted_room().await;
    let carl = ready_caller(&hub, "carl").await;
    let claimed = hub.homeserver.makes_room(&matrix("carl"), &[&matrix("anna")], false);
    hub.homeserver.claims_to_replace(&claimed, &old);
    say(&hub, &claimed, "carl", "mein Raum").await;
    let mut rooms = listed(&hub, &anna).await;
    rooms.sort_unstable();
    let mut expected = vec![old.clone(), claimed.clone()];
    expected.sort_unstable();
    assert_eq!(rooms, expected);
    assert_eq!(history(&hub, &carl, &claimed).await, ["mein Raum"]);
    // Nor does a tombstone lead into a room that does not say so.
    let elsewhere = hub.homeserver.makes_room(&matrix("anna"), &[], false);
    let tombstone = hub.homeserver.buries(&old, &matrix("anna"), &elsewhere);
    hub.receive(vec![hub.homeserver.told(&old, &tombstone)]).await.expect("heard");
    assert!(listed(&hub, &anna).await.contains(&old));
}

#[tokio::test]
async fn a_room_of_ours_that_the_bot_replaced_keeps_its_key() {
    let hub = hub().build();
    let (anna, general) = in_general_room(&hub, "anna").await;
    let sent = hub.send(given::draft("vorher"), WAIT).await;
    assert_eq!(sent.notification.room.as_ref(), Some(&general));
    let (new, tombstone) = hub.homeserver.upgrades(&general, &matrix("messenger"));
    hub.receive(vec![hub.homeserver.told(&general, &tombstone)]).await.expect("heard");
    let sent = hub.send(given::draft("nachher"), WAIT).await;
    assert_eq!((sent.notification.status, sent.notification.room.as_ref()), (Status::Sent, Some(&new)));
    assert_eq!(hub.homeserver.bodies(&new).len(), 1);
    let rooms = hub.rooms_of(&anna).await.expect("rooms");
    assert_eq!(rooms.iter().map(|room| &room.matrix_room_id).collect::<Vec<_>>(), [&new]);
    let key = RoomKey { tenant: given::TENANT, kind: messenger_core::room::RoomKind::General };
    assert_eq!(hub.known_room(&key).await.expect("looked"), Some(new.clone()));
    assert_eq!(history(&hub, &anna, &new).await.len(), 2);
    // Who comes later reads it all: it is a room for everybody.
    let bert = ready_caller(&hub, "bert").await;
    assert_eq!(history(&hub, &bert, &new).await.len(), 2);
    let kinds: Vec<_> = hub.memory.events().iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&Kind::RoomLeft));
}
