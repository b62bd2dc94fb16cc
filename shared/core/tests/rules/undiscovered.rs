//! Discovery of rooms that were created with other clients without push and without the bot.

use std::time::Duration;

use messenger_core::{
    error::Failure,
    id::{HubUserId, MatrixUserId, RoomId},
    lease::Lease,
    user::Caller,
};
use messenger_testkit::{TestMessenger, messenger};

use crate::ready_caller;

const WORKER: &str = "worker";

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

/// Signs in users who may use other clients, except for the last one.
async fn with_users(names: &[&str]) -> (TestMessenger, Vec<Caller>) {
    let messenger = messenger().build();
    let mut callers = Vec::new();
    for name in names {
        callers.push(ready_caller(&messenger, name).await);
    }
    for caller in &callers[..callers.len() - 1] {
        messenger.enable_external(caller.user.id()).await.expect("enabled");
    }
    (messenger, callers)
}

/// Runs discovery once over all users. Returns the number of steps.
async fn discover(messenger: &TestMessenger) -> usize {
    let (mut after, mut steps): (Option<HubUserId>, usize) = (None, 0);
    loop {
        after = messenger.discovery().discover(WORKER, after.as_ref()).await.expect("asked").held().flatten();
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
async fn a_room_that_was_never_pushed_is_discovered_with_its_messages() {
    let (messenger, people) = with_users(&["anna", "bert"]).await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[], true);
    messenger.homeserver.invite(&room, &matrix("anna"), &matrix("bert"));
    messenger.homeserver.send_text(&room, &matrix("anna"), "Hallo?");
    discover(&messenger).await;
    for caller in &people {
        assert!(is_listed(&messenger, caller, &room).await);
    }
    assert_eq!(messenger.memory.summary(&room).count, 1);
    // A second discovery changes nothing.
    let events = messenger.memory.events().len();
    discover(&messenger).await;
    assert_eq!(messenger.memory.events().len(), events);
}

#[tokio::test]
async fn only_rooms_of_users_with_external_access_are_discovered() {
    let (messenger, _) = with_users(&["anna", "bert"]).await;
    let room = messenger.homeserver.create_room_as(&matrix("bert"), &[&matrix("carl")], false);
    discover(&messenger).await;
    assert_eq!(messenger.ports.rooms.tenant_of(&room).await.expect("looked up"), None);
}

#[tokio::test]
async fn a_step_is_bounded_and_all_users_are_covered_in_the_end() {
    let names: Vec<_> = (0..13).map(|n| format!("user{n:02}")).collect();
    let (messenger, people) = with_users(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = messenger.ids().of(&people[0].user);
    let rooms: Vec<_> =
        (0..30).map(|_| messenger.homeserver.create_room_as(&first, &[&matrix("bert")], false)).collect();
    let last = messenger.homeserver.create_room_as(&messenger.ids().of(&people[11].user), &[&first], false);
    assert_eq!(discover(&messenger).await, 4);
    assert!(is_listed(&messenger, &people[11], &last).await);
    let listed = messenger.rooms().list(&people[0]).await.expect("a list").len();
    assert!(listed < rooms.len(), "{listed} at once");
    discover(&messenger).await;
    for room in &rooms {
        assert!(is_listed(&messenger, &people[0], room).await);
    }
}

#[tokio::test]
async fn a_room_that_cannot_be_adopted_delays_no_other() {
    let (messenger, people) = with_users(&["anna", "bert", "carl"]).await;
    let quarantine = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("carl")], false);
    let room = messenger.homeserver.create_room_as(&matrix("bert"), &[&matrix("carl")], false);
    messenger.homeserver.fail_room(&quarantine, Failure::Broken);
    discover(&messenger).await;
    assert!(is_listed(&messenger, &people[1], &room).await);
    let calls = messenger.homeserver.calls();
    discover(&messenger).await;
    assert_eq!(
        messenger.homeserver.calls() - calls,
        2,
        "the rooms of two users are listed, and no room is read"
    );
}

#[tokio::test]
async fn discovery_is_retried_after_an_outage_by_one_worker_only() {
    let (messenger, people) = with_users(&["anna", "bert"]).await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], false);
    for call in [1, 2] {
        messenger.homeserver.fail_call(call, Failure::Unreachable);
        messenger.discovery().discover(WORKER, None).await.expect_err("an outage");
    }
    assert_eq!(
        messenger.another_process().discovery().discover("another", None).await.expect("asked"),
        Lease::Lost
    );
    assert!(!is_listed(&messenger, &people[0], &room).await);
    assert!(messenger.discovery().discover(WORKER, None).await.expect("asked").held().flatten().is_some());
    assert!(is_listed(&messenger, &people[0], &room).await);
    messenger.pass(Duration::from_mins(1));
    assert!(
        messenger
            .another_process()
            .discovery()
            .discover("another", None)
            .await
            .expect("asked")
            .held()
            .flatten()
            .is_some()
    );
}

#[tokio::test]
async fn a_room_with_one_member_is_checked_again_with_growing_intervals() {
    let (messenger, people) = with_users(&["anna", "bert"]).await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[], false);
    discover(&messenger).await;
    // No member joins for half an hour, and discovery runs every few seconds.
    let before = messenger.homeserver.calls();
    for _ in 0..600 {
        messenger.pass(Duration::from_secs(3));
        discover(&messenger).await;
    }
    let checks = messenger.homeserver.calls() - before - 600;
    assert!((5..20).contains(&checks), "{checks}");
    let other = messenger.homeserver.create_room_as(&matrix("anna"), &[], false);
    discover(&messenger).await;
    for room in [&room, &other] {
        messenger.homeserver.invite(room, &matrix("anna"), &matrix("bert"));
    }
    messenger.pass(Duration::from_secs(6));
    discover(&messenger).await;
    assert!(is_listed(&messenger, &people[1], &other).await);
    messenger.pass(Duration::from_mins(10));
    discover(&messenger).await;
    assert!(is_listed(&messenger, &people[1], &room).await);
}
