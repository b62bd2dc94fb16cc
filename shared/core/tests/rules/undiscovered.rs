//! Rooms that were made with other clients while push was away, and in which the bot is not.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    id::{HubUserId, MatrixUserId, RoomId},
    user::{Caller, Role},
};
use messenger_testkit::{TestMessenger, messenger};

use crate::{ready_caller, ready_with};

const WORKER: &str = "worker";

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

/// A hub whose users may use other clients, but for the last.
async fn with_people(names: &[&str]) -> (TestMessenger, Vec<Caller>) {
    let messenger = messenger().build();
    let admin = ready_with(&messenger, "admin", Role::Admin).await;
    let mut callers = Vec::new();
    for name in names {
        callers.push(ready_caller(&messenger, name).await);
    }
    for caller in &callers[..callers.len() - 1] {
        messenger.external_clients().enable(&admin, caller.user.id()).await.expect("enabled");
    }
    (messenger, callers)
}

/// Asks everybody once. Returns in how many steps.
async fn search(messenger: &TestMessenger) -> usize {
    let (mut after, mut steps): (Option<HubUserId>, usize) = (None, 0);
    loop {
        after = messenger.discovery().discover(WORKER, after.as_ref()).await.expect("asked");
        steps += 1;
        if after.is_none() {
            return steps;
        }
    }
}

async fn is_listed(messenger: &TestMessenger, caller: &Caller, room: &RoomId) -> bool {
    messenger.rooms().list(caller).await.expect("a list").iter().any(|listed| listed.matrix_room_id == *room)
}

#[tokio::test]
async fn a_room_of_which_nobody_told_us_is_found_with_what_was_said_in_it() {
    let (messenger, people) = with_people(&["anna", "bert"]).await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[], true);
    messenger.homeserver.invite(&room, &matrix("anna"), &matrix("bert"));
    messenger.homeserver.send_text(&room, &matrix("anna"), "Hallo?");
    search(&messenger).await;
    for caller in &people {
        assert!(is_listed(&messenger, caller, &room).await);
    }
    assert_eq!(messenger.memory.summary(&room).count, 1);
    // Once more is no change.
    let events = messenger.memory.events().len();
    search(&messenger).await;
    assert_eq!(messenger.memory.events().len(), events);
}

#[tokio::test]
async fn only_who_may_use_other_clients_is_asked() {
    let (messenger, _) = with_people(&["anna", "bert"]).await;
    let room = messenger.homeserver.create_room_as(&matrix("bert"), &[&matrix("carl")], false);
    search(&messenger).await;
    assert_eq!(messenger.ports.rooms.tenant_of(&room).await.expect("looked"), None);
}

#[tokio::test]
async fn a_step_is_bounded_and_everybody_is_asked_in_the_end() {
    let names: Vec<_> = (0..13).map(|n| format!("user{n:02}")).collect();
    let (messenger, people) = with_people(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = messenger.ids().of(&people[0].user);
    let rooms: Vec<_> =
        (0..30).map(|_| messenger.homeserver.create_room_as(&first, &[&matrix("bert")], false)).collect();
    let last = messenger.homeserver.create_room_as(&messenger.matrix_id(&people[11].user), &[&first], false);
    assert_eq!(search(&messenger).await, 4);
    assert!(is_listed(&messenger, &people[11], &last).await);
    let listed = messenger.rooms().list(&people[0]).await.expect("a list").len();
    assert!(listed < rooms.len(), "{listed} at once");
    search(&messenger).await;
    for room in &rooms {
        assert!(is_listed(&messenger, &people[0], room).await);
    }
}

#[tokio::test]
async fn what_cannot_be_adopted_is_left_alone_and_keeps_nobody_from_the_rest() {
    let (messenger, people) = with_people(&["anna", "bert", "carl"]).await;
    let quarantine = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("carl")], false);
    let room = messenger.homeserver.create_room_as(&matrix("bert"), &[&matrix("carl")], false);
    messenger.homeserver.fail_room(&quarantine, Failure::Broken);
    search(&messenger).await;
    assert!(is_listed(&messenger, &people[1], &room).await);
    let calls = messenger.homeserver.calls();
    search(&messenger).await;
    assert_eq!(messenger.homeserver.calls() - calls, 2, "two are asked, and nothing is looked at");
}

#[tokio::test]
async fn a_homeserver_that_is_away_is_asked_again_and_only_by_one_worker() {
    let (messenger, people) = with_people(&["anna", "bert"]).await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], false);
    for call in [1, 2] {
        messenger.homeserver.fail_call(call, Failure::Unreachable);
        messenger.discovery().discover(WORKER, None).await.expect_err("it is told");
    }
    assert_eq!(messenger.another_process().discovery().discover("another", None).await.expect("asked"), None);
    assert!(!is_listed(&messenger, &people[0], &room).await);
    assert!(messenger.discovery().discover(WORKER, None).await.expect("asked").is_some());
    assert!(is_listed(&messenger, &people[0], &room).await);
    messenger.pass(Duration::from_mins(1));
    assert!(
        messenger.another_process().discovery().discover("another", None).await.expect("asked").is_some()
    );
}

#[tokio::test]
async fn a_room_whose_maker_is_alone_at_first_is_looked_at_again_soon_and_then_ever_more_rarely() {
    let (messenger, people) = with_people(&["anna", "bert"]).await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[], false);
    search(&messenger).await;
    // Nobody comes for half an hour, and somebody looks each few seconds.
    let before = messenger.homeserver.calls();
    for _ in 0..600 {
        messenger.pass(Duration::from_secs(3));
        search(&messenger).await;
    }
    let looks = messenger.homeserver.calls() - before - 600;
    assert!((5..20).contains(&looks), "{looks}");
    let other = messenger.homeserver.create_room_as(&matrix("anna"), &[], false);
    search(&messenger).await;
    for room in [&room, &other] {
        messenger.homeserver.invite(room, &matrix("anna"), &matrix("bert"));
    }
    messenger.pass(Duration::from_secs(6));
    search(&messenger).await;
    assert!(is_listed(&messenger, &people[1], &other).await);
    messenger.pass(Duration::from_mins(10));
    search(&messenger).await;
    assert!(is_listed(&messenger, &people[1], &room).await);
}
