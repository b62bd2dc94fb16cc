//! Room operations of users, and their outcome when the homeserver fails.

use std::time::Duration;

use futures::future::join_all;
use messenger_core::{
    Error,
    error::Failure,
    event::Kind,
    id::{EventId, MatrixUserId, RoomId},
    message::MessageContent,
    port::Clock as _,
    room::{Pair, RoomCreation, RoomKey, RoomKind, RoomType},
    room_event::{Content, RoomEvent},
    user::Role,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{identity_in, poll_at_most, ready_caller, ready_with, run_until_idle};

fn named(name: &str, invite: &[&str]) -> RoomCreation {
    RoomCreation {
        name: name.to_owned(),
        topic: None,
        invite: invite.iter().map(|id| (*id).to_owned()).collect(),
    }
}

/// Returns a message with a number by an unknown user.
fn text_event(messenger: &TestMessenger, room: &RoomId, n: usize) -> RoomEvent {
    RoomEvent {
        event_id: EventId::new(format!("$text{n}")),
        room_id: room.clone(),
        sender: MatrixUserId::new("@guest:elsewhere.org"),
        timestamp: messenger.clock.now(),
        content: Content::Message(MessageContent::text(n.to_string(), "m.text")),
        edited: None,
        notification: None,
        alarm: None,
        thread: None,
    }
}

fn chat_of(messenger: &TestMessenger, one: &str, other: &str) -> Option<RoomId> {
    let pair = Pair::of(&fixtures::user(one), &fixtures::user(other)).expect("two users");
    messenger
        .homeserver
        .room_by_alias(&RoomKey { tenant: fixtures::TENANT, kind: RoomKind::Dm(pair) }.alias())
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_over_four_processes_open_one_chat() {
    let messenger = messenger().build();
    let callers =
        [messenger.caller("anna", fixtures::TENANT).await, messenger.caller("bert", fixtures::TENANT).await];
    let processes: Vec<_> = (0..4).map(|_| messenger.another_process()).collect();
    let opened = join_all((0..40).map(|n| {
        let partner = fixtures::user(["bert", "anna"][n % 2]);
        let (process, caller) = (&processes[n % 4], &callers[n % 2]);
        async move { process.rooms().open_direct_chat(caller, &partner).await.expect("opened") }
    }))
    .await;
    assert!(opened.iter().all(|room| room.matrix_room_id == opened[0].matrix_room_id));
    assert_eq!((opened[0].display_name.as_str(), opened[1].display_name.as_str()), ("bert", "anna"));
    let room = chat_of(&messenger, "bert", "anna").expect("the room exists");
    assert_eq!(messenger.homeserver.members(&room).len(), 2);
    assert_eq!(messenger.homeserver.rooms().len(), 2, "the chat and the general room");
}

#[tokio::test(start_paused = true)]
async fn a_chat_whose_creator_crashed_is_complete_when_it_is_opened_again() {
    for polls in 0..200 {
        let messenger = messenger().build();
        let (anna, _) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
        let partner = fixtures::user("bert");
        let done =
            messenger.crash_after(polls, messenger.rooms().open_direct_chat(&anna, &partner)).await.is_some();
        let survivor = messenger.another_process();
        survivor.pass(Duration::from_mins(1));
        tokio::time::advance(Duration::from_mins(1)).await;
        let bert = survivor.caller("bert", fixtures::TENANT).await;
        let opened = survivor.rooms().open_direct_chat(&bert, &fixtures::user("anna")).await.expect("opened");
        assert_eq!(opened.display_name, "anna");
        assert_eq!(messenger.homeserver.members(&opened.matrix_room_id).len(), 2);
        assert_eq!(survivor.rooms().members(&bert, &opened.matrix_room_id).await.expect("a list").len(), 2);
        assert_eq!(messenger.homeserver.rooms().len(), 2);
        if done {
            return;
        }
    }
    panic!("the chat was never completed");
}

#[tokio::test(start_paused = true)]
async fn an_account_is_provisioned_when_it_is_needed() {
    let messenger = messenger().build();
    let (anna, _) =
        (messenger.caller("anna", fixtures::TENANT).await, messenger.caller("bert", fixtures::TENANT).await);
    messenger.homeserver.switch_off();
    let away =
        messenger.rooms().open_direct_chat(&anna, &fixtures::user("bert")).await.expect_err("an outage");
    assert_eq!(away.failure(), Some(Failure::Unreachable));
    messenger.homeserver.switch_on();
    let room = messenger.rooms().open_direct_chat(&anna, &fixtures::user("bert")).await.expect("opened");
    assert_eq!(room.room_type, RoomType::Dm);
}

#[tokio::test(start_paused = true)]
async fn a_room_whose_members_cannot_join_is_discarded() {
    let messenger = messenger().build();
    let (anna, bert) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
    // The creation succeeds, and then the homeserver rejects the join of a member.
    messenger.homeserver.fail_call(2, Failure::Rejected);
    messenger.rooms().create(&anna, named("Umbau", &["bert"])).await.expect_err("a member who cannot join");
    run_until_idle(&messenger).await;
    for caller in [&anna, &bert] {
        let rooms = messenger.rooms().list(caller).await.expect("a list");
        assert!(rooms.iter().all(|room| room.room_type == RoomType::General), "{rooms:?}");
    }
    let custom = messenger
        .homeserver
        .rooms()
        .into_iter()
        .find(|room| messenger.homeserver.creation_request(room).name == "Umbau");
    assert_eq!(messenger.homeserver.members(&custom.expect("the room was created")), []);
    // A temporary failure is retried.
    messenger.homeserver.fail_call(2, Failure::TimedOut);
    messenger.rooms().create(&anna, named("Umbau", &["bert"])).await.expect("created");
}

#[tokio::test(start_paused = true)]
async fn all_unknown_users_are_named_and_no_room_is_created() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    ready_caller(&messenger, "bert").await;
    messenger.caller("carl", fixtures::OTHER_TENANT).await;
    let before = messenger.homeserver.rooms().len();
    let invite = ["bert", "carl", "@bert:hub.local", "@carl:hub.local", "@bert:elsewhere", "nobody"];
    let Err(Error::Invalid(problems)) = messenger.rooms().create(&anna, named("x", &invite)).await else {
        panic!("refused")
    };
    let named: Vec<_> = problems.iter().map(|one| one.pointer.as_str()).collect();
    assert_eq!(named, ["/invite_users/1", "/invite_users/3", "/invite_users/4", "/invite_users/5"]);
    assert_eq!(messenger.homeserver.rooms().len(), before);
}

#[tokio::test(start_paused = true)]
async fn the_room_list_does_not_call_the_homeserver() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    for n in 0..5 {
        messenger.rooms().create(&anna, named(&n.to_string(), &[])).await.expect("created");
    }
    messenger.homeserver.switch_off();
    let calls = messenger.homeserver.calls();
    assert_eq!(messenger.rooms().list(&anna).await.expect("a list").len(), 6);
    assert_eq!(messenger.homeserver.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_unread_until_it_is_read() {
    let messenger = messenger().build();
    let (anna, bert) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
    let first =
        messenger.rooms().create(&anna, named("first", &["bert"])).await.expect("created").matrix_room_id;
    messenger.pass(Duration::from_secs(1));
    let second = messenger.rooms().create(&anna, named("second", &[])).await.expect("created").matrix_room_id;
    for n in 1..=3 {
        messenger.pass(Duration::from_secs(1));
        messenger.ingest().receive(vec![text_event(&messenger, &first, n)]).await.expect("received");
    }
    let rooms = messenger.rooms().list(&bert).await.expect("a list");
    assert_eq!((rooms[0].unread_count, rooms[0].last_message.as_deref()), (3, Some("3")));
    let order: Vec<_> = messenger
        .rooms()
        .list(&anna)
        .await
        .expect("a list")
        .into_iter()
        .map(|room| room.matrix_room_id)
        .collect();
    assert_eq!(order[..2], [first.clone(), second.clone()], "the most recent activity first");
    for _ in 0..2 {
        messenger.rooms().mark_read(&bert, &first).await.expect("read");
    }
    let unread = messenger.memory.events().into_iter().filter(|event| event.kind == Kind::Unread);
    assert_eq!(unread.count(), 1);
    assert_eq!(messenger.rooms().list(&bert).await.expect("a list")[0].unread_count, 0);
    assert_eq!(
        messenger.rooms().list(&anna).await.expect("a list")[0].unread_count,
        3,
        "each user has their own count"
    );
    // Earlier messages are not unread for a later member.
    ready_caller(&messenger, "carl").await;
    messenger.rooms().invite(&anna, &first, "carl").await.expect("invited");
    let carl = messenger.caller("carl", fixtures::TENANT).await;
    assert_eq!(messenger.rooms().list(&carl).await.expect("a list")[0].unread_count, 0);
    messenger.drain_background().await;
    let read = (first.clone(), messenger.ids().of(&bert.user), EventId::new("$text3"));
    assert_eq!(messenger.homeserver.receipts(), [read], "the receipt reaches their other clients");
    assert!(matches!(messenger.rooms().mark_read(&bert, &second).await, Err(Error::NotFound(_))));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_can_read_but_not_create() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    ready_caller(&messenger, "bert").await;
    let room = messenger.rooms().create(&anna, named("x", &["bert"])).await.expect("created").matrix_room_id;
    let viewer = ready_with(&messenger, "bert", Role::Viewer).await;
    let refused = [
        messenger.rooms().create(&viewer, named("y", &[])).await.map(drop),
        messenger.rooms().open_direct_chat(&viewer, &fixtures::user("anna")).await.map(drop),
        messenger.rooms().invite(&viewer, &room, "anna").await.map(drop),
    ];
    for result in refused {
        assert_eq!(result.expect_err("refused").code(), "read_only_role");
    }
    messenger.rooms().members(&viewer, &room).await.expect("a list");
    messenger.rooms().mark_read(&viewer, &room).await.expect("read");
    messenger.rooms().leave(&viewer, &room).await.expect("left");
}

#[tokio::test(start_paused = true)]
async fn leaving_needs_no_homeserver_and_reaches_it_in_the_end() {
    let messenger = messenger().build();
    let (anna, bert) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
    let room = messenger.rooms().create(&anna, named("x", &["bert"])).await.expect("created").matrix_room_id;
    messenger.homeserver.switch_off();
    messenger.rooms().leave(&bert, &room).await.expect("left");
    assert!(matches!(messenger.rooms().members(&bert, &room).await, Err(Error::NotFound(_))));
    messenger.work().await;
    assert_eq!(messenger.homeserver.members(&room).len(), 2);
    messenger.homeserver.switch_on();
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.members(&room), [messenger.ids().of(&anna.user)]);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_rejoins_during_a_pending_leave_stays() {
    for polls in 0..12 {
        let messenger = messenger().build();
        let anna = ready_caller(&messenger, "anna").await;
        messenger.send(fixtures::machine(1, "t"), Duration::from_secs(3)).await;
        let search =
            messenger_core::room::Search { text: String::new(), entity_type: None, limit: 1, offset: 0 };
        let room =
            messenger.rooms().directory(&anna, &search).await.expect("a list")[0].matrix_room_id.clone();
        messenger.rooms().join(&anna, &room).await.expect("joined");
        messenger.rooms().leave(&anna, &room).await.expect("left");
        // The worker is at any step of its work when she rejoins.
        let mut work = Box::pin(messenger.rooms().leave_due());
        let early = poll_at_most(polls, &mut work).await;
        messenger.rooms().join(&anna, &room).await.expect("joined again");
        if early.is_none() {
            work.await.expect("no error");
        }
        assert_eq!(messenger.homeserver.members(&room).len(), 1, "after {polls} steps");
        assert_eq!(messenger.rooms().members(&anna, &room).await.expect("a member").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_changes_tenant_leaves_all_rooms_of_the_old_one() {
    let messenger = messenger().build();
    let (anna, bert) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
    let room = messenger.rooms().create(&anna, named("x", &["bert"])).await.expect("created").matrix_room_id;
    messenger.users().sign_in(identity_in(fixtures::OTHER_TENANT, "bert")).await.expect("moved");
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.members(&room), [messenger.ids().of(&anna.user)]);
    assert!(matches!(messenger.rooms().members(&bert, &room).await, Err(Error::NotFound(_))));
    let general = RoomKey { tenant: fixtures::OTHER_TENANT, kind: RoomKind::General };
    let general = messenger.homeserver.room_by_alias(&general.alias()).expect("the room exists");
    assert_eq!(messenger.homeserver.members(&general), [messenger.ids().of(&bert.user)]);
}
