//! Typing notifications are published to the members who listen now, and to nobody and nowhere else.

use std::time::Duration;

use messenger_core::{
    Error,
    cursor::Since,
    event::Audience,
    id::{MatrixUserId, RoomId, TenantId},
    live::event_stream::EventStream,
    room::{Profile, RoomKey, RoomKind},
    typing::Typing,
    user::{Caller, Identity, Role},
};
use messenger_testkit::{
    TestMessenger, fixtures, messenger,
    sse::{Reader, SseEvent},
};
use serde_json::json;

use crate::{WAIT, accounts_made, ready_caller};

/// Long enough for whatever is told to arrive.
const SOON: Duration = Duration::from_millis(100);

fn matrix(id: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{id}:hub.local"))
}

fn typing(room: &RoomId, users: &[&str]) -> Typing {
    Typing { room: room.clone(), users: users.iter().map(|user| matrix(user)).collect() }
}

/// A room of a tenant with these members.
async fn room_with(messenger: &TestMessenger, tenant: TenantId, id: &str, members: &[&Caller]) -> RoomId {
    let kind = RoomKind::Service { source_app: id.to_owned() };
    let key = RoomKey { tenant, kind };
    let room =
        messenger.ports.rooms.register(&key, &RoomId::new(id), &Profile::default()).await.expect("settled");
    for member in members {
        messenger.ports.memberships.add(tenant, &room, member.user.id()).await.expect("added");
    }
    room
}

async fn open(messenger: &TestMessenger, caller: &Caller) -> Reader<EventStream> {
    let mut stream = Reader::new(messenger.streams().subscribe(caller, None).await.expect("a stream"));
    assert_eq!(stream.next().await.expect("an event").kind(), "connected");
    stream
}

/// What is told of who types, until it is silent.
async fn heard(stream: &mut Reader<EventStream>) -> Vec<SseEvent> {
    stream.within(SOON).await.into_iter().filter(|event| event.kind() == "typing").collect()
}

/// The names in each of them.
fn names(events: &[SseEvent]) -> Vec<Vec<String>> {
    let name = |user: &serde_json::Value| user["display_name"].as_str().expect("a name").to_owned();
    let users =
        |event: &SseEvent| event.json()["users"].as_array().expect("a list").iter().map(name).collect();
    events.iter().map(users).collect()
}

#[tokio::test(start_paused = true)]
async fn a_member_is_told_who_types_and_that_nobody_does_any_more() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    messenger
        .users()
        .sign_in(Identity { display_name: "Bärt".into(), ..fixtures::identity("Bert") })
        .await
        .expect("signed in");
    accounts_made(&messenger, &["anna", "Bert"]).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    let before = stream.decoder.last_id.clone();
    // In whatever order they are named, and the bot aside.
    messenger.typing().publish(vec![typing(&room, &["anna", "messenger", "_bert", "anna"])]).await;
    messenger.typing().publish(vec![typing(&room, &[])]).await;
    let events = heard(&mut stream).await;
    assert_eq!(
        events.iter().map(SseEvent::json).collect::<Vec<_>>(),
        [
            json!({
                "type": "typing", "room_id": "!1", "timeout_ms": 60_000,
                "users": [
                    { "matrix_user_id": "@_bert:hub.local", "hub_user_id": "Bert", "display_name": "Bärt" },
                    { "matrix_user_id": "@anna:hub.local", "hub_user_id": "anna", "display_name": "anna" },
                ],
            }),
            json!({ "type": "typing", "room_id": "!1", "timeout_ms": 60_000, "users": [] }),
        ]
    );
    for event in &events {
        assert_eq!((&event.id, &event.last_id), (&None, &before), "it moves no cursor");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_hears_it_first_the_streams_of_all_processes_are_told() {
    let first = messenger().build();
    let second = first.another_process();
    let (_one, _other) = (first.run_broker(), second.run_broker());
    let (anna, bert) =
        (first.caller("anna", fixtures::TENANT).await, first.caller("bert", fixtures::TENANT).await);
    accounts_made(&first, &["bert"]).await;
    let room = room_with(&first, fixtures::TENANT, "!1", &[&anna, &bert]).await;
    let mut streams = [open(&first, &anna).await, open(&second, &anna).await, open(&second, &bert).await];
    first.another_process().typing().publish(vec![typing(&room, &["bert"])]).await;
    for stream in &mut streams {
        assert_eq!(names(&heard(stream).await), [["bert"]]);
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_in_the_room_or_of_another_tenant_hears_nothing() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let bert = messenger.caller("bert", fixtures::TENANT).await;
    let carl = messenger.caller("carl", fixtures::OTHER_TENANT).await;
    let ours = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let theirs = room_with(&messenger, fixtures::OTHER_TENANT, "!2", &[&carl]).await;
    let mut streams =
        [open(&messenger, &anna).await, open(&messenger, &bert).await, open(&messenger, &carl).await];
    let foreign = RoomId::new("!foreign:elsewhere");
    messenger
        .typing()
        .publish(vec![typing(&foreign, &["anna"]), typing(&ours, &["anna"]), typing(&theirs, &["carl"])])
        .await;
    let told: Vec<_> =
        [heard(&mut streams[0]).await, heard(&mut streams[1]).await, heard(&mut streams[2]).await]
            .iter()
            .map(|events| events.iter().map(|event| event.json()["room_id"].clone()).collect::<Vec<_>>())
            .collect();
    assert_eq!(told, [vec![json!("!1")], vec![], vec![json!("!2")]]);
    // Who comes in hears it from then on, and who is out no longer.
    messenger.ports.memberships.add(fixtures::TENANT, &ours, bert.user.id()).await.expect("added");
    messenger.ports.memberships.remove(fixtures::TENANT, &ours, anna.user.id()).await.expect("removed");
    tokio::time::sleep(Duration::from_secs(2)).await;
    messenger.typing().publish(vec![typing(&ours, &[])]).await;
    assert_eq!((heard(&mut streams[0]).await.len(), heard(&mut streams[1]).await.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn somebody_of_another_tenant_or_server_has_no_id_of_ours() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    messenger.caller("carl", fixtures::OTHER_TENANT).await;
    accounts_made(&messenger, &["carl"]).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    let users = vec![matrix("carl"), MatrixUserId::new("@anna:elsewhere")];
    messenger.typing().publish(vec![Typing { room, users }]).await;
    let users = heard(&mut stream).await.pop().expect("it is told").json()["users"].clone();
    assert_eq!(
        users,
        json!([
            { "matrix_user_id": "@anna:elsewhere", "hub_user_id": null, "display_name": "@anna:elsewhere" },
            { "matrix_user_id": "@carl:hub.local", "hub_user_id": null, "display_name": "carl" },
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn it_stands_in_no_log_and_no_poll_and_is_not_replayed() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let log = messenger.memory.events();
    let head = messenger.ports.feed.span().await.expect("a span").head;
    let polling = messenger.clone();
    let caller = anna.clone();
    let poll = tokio::spawn(async move {
        let start = tokio::time::Instant::now();
        let since = Since::Cursor(head.to_string());
        let page = polling.streams().poll(&caller, &since, Duration::from_secs(5)).await.expect("a page");
        (page.json(), page.cursor, start.elapsed())
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    messenger.typing().publish(vec![typing(&room, &["anna"])]).await;
    assert_eq!(poll.await.expect("it ends"), ("[]".to_owned(), head, Duration::from_secs(5)));
    assert_eq!(messenger.memory.events(), log);
    for cursor in ["0".to_owned(), head.to_string()] {
        let mut stream =
            Reader::new(messenger.streams().subscribe(&anna, Some(&cursor)).await.expect("a stream"));
        assert_eq!(heard(&mut stream).await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn what_two_sources_tell_is_shown_once_and_later_it_is_news_again() {
    let messenger = messenger().build();
    let worker = messenger.another_process();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let other = room_with(&messenger, fixtures::TENANT, "!2", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    for users in [&["bert", "carl"][..], &["carl"], &[], &["carl"]] {
        messenger.typing().publish(vec![typing(&room, users)]).await;
        let mut otherwise = users.to_vec();
        otherwise.reverse();
        worker.typing().publish(vec![typing(&room, &otherwise)]).await;
    }
    let all = names(&heard(&mut stream).await);
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 0, 1]);
    messenger.typing().publish(vec![typing(&other, &["carl"])]).await;
    assert_eq!(heard(&mut stream).await.len(), 1, "another room is no echo");
    // The end of it was lost.
    tokio::time::sleep(Duration::from_secs(11)).await;
    messenger.typing().publish(vec![typing(&room, &["carl"])]).await;
    assert_eq!(heard(&mut stream).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_one_room_the_last_that_is_said_counts() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    messenger.typing().publish(vec![typing(&room, &["x"]), typing(&room, &[]), typing(&room, &["y"])]).await;
    assert_eq!(names(&heard(&mut stream).await), [["@y:hub.local"]]);
}

#[tokio::test(start_paused = true)]
async fn however_many_type_a_few_are_named() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    for (length, named) in [(1, 20), (245, 13)] {
        let users: Vec<_> = (0..5000).map(|n| format!("{n:04}{}", "x".repeat(length))).collect();
        messenger
            .typing()
            .publish(vec![typing(&room, &users.iter().map(String::as_str).collect::<Vec<_>>())])
            .await;
        let told = names(&heard(&mut stream).await);
        assert_eq!((told.len(), told[0].len()), (1, named), "what fits into a signal between processes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_misses_it_and_is_not_cut_off_for_it() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut slow = open(&messenger, &anna).await;
    for n in 0..5000 {
        messenger.typing().publish(vec![typing(&room, &[&format!("user{n}")])]).await;
    }
    tokio::time::sleep(SOON).await;
    assert_eq!(messenger.broker().connections(), 1);
    // There is room left for what must not be missed.
    let large = fixtures::event(Audience::Room(fixtures::TENANT, room.clone()), &"x".repeat(400 << 10));
    messenger.ports.feed.append(&[large]).await.expect("appended");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(messenger.broker().connections(), 1);
    let events = slow.within(SOON).await;
    let count = |kind: &str| events.iter().filter(|event| event.kind() == kind).count();
    assert!((1..1000).contains(&count("typing")), "{}", count("typing"));
    assert_eq!(count("new_message"), 1);
    messenger.typing().publish(vec![typing(&room, &["bert"])]).await;
    assert_eq!(heard(&mut slow).await.len(), 1, "it goes on when it has read");
}

#[tokio::test(start_paused = true)]
async fn without_the_database_it_is_lost_and_holds_nobody_up() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    messenger.memory.switch_off();
    messenger.typing().publish(vec![typing(&room, &["bert"])]).await;
    messenger.memory.switch_on();
    messenger.memory.jitter(Duration::from_hours(1));
    let start = tokio::time::Instant::now();
    messenger.typing().publish(vec![typing(&room, &["bert"])]).await;
    assert!(start.elapsed() <= Duration::from_secs(1));
    messenger.memory.jitter(Duration::ZERO);
    assert_eq!(heard(&mut stream).await, []);
}

#[tokio::test(start_paused = true)]
async fn who_types_here_is_heard_by_way_of_the_homeserver() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = ready_caller(&messenger, "anna").await;
    let room = messenger.send(fixtures::draft("x"), WAIT).await.notification.room.expect("a room");
    let mut stream = open(&messenger, &anna).await;
    messenger.messages().set_typing(&anna, &room, Some(Duration::from_secs(7))).await.expect("told");
    assert_eq!(messenger.homeserver.typing(&room), [(matrix("anna"), Duration::from_secs(7))]);
    assert_eq!(heard(&mut stream).await, [], "the homeserver tells");
    assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled"));
    messenger.messages().set_typing(&anna, &room, None).await.expect("told");
    assert_eq!(messenger.homeserver.typing(&room), []);
    for _ in 0..2 {
        assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled"));
    }
    assert_eq!(names(&heard(&mut stream).await), [vec!["anna"], vec![]]);
}

#[tokio::test(start_paused = true)]
async fn only_members_who_may_write_type() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = messenger.send(fixtures::draft("x"), WAIT).await.notification.room.expect("a room");
    let carl = messenger.caller("carl", fixtures::OTHER_TENANT).await;
    let identity = Identity { role: Role::Viewer, ..anna.user.identity.clone() };
    let viewer =
        Caller { user: messenger.users().sign_in(identity).await.expect("signed in"), ..anna.clone() };
    let private = room_with(&messenger, fixtures::TENANT, "!private", &[]).await;
    let calls = messenger.homeserver.calls();
    for (caller, room, expected) in [
        (&carl, &room, "not_found"),
        (&anna, &private, "not_found"),
        (&anna, &RoomId::new("!nowhere"), "not_found"),
        (&viewer, &room, "read_only_role"),
    ] {
        let refused = messenger.messages().set_typing(caller, room, Some(WAIT)).await;
        assert_eq!(refused.as_ref().map_err(Error::code), Err(expected), "{room}");
    }
    assert_eq!(messenger.homeserver.calls(), calls, "the homeserver is not asked");
}
