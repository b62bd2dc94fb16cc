//! Typing events reach the connected members only, and are not stored.

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

use crate::{WAIT, ready_caller, record_accounts};

/// A time in which every published event arrives.
const SOON: Duration = Duration::from_millis(100);

fn matrix(id: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{id}:hub.local"))
}

fn typing(room: &RoomId, users: &[&str]) -> Typing {
    Typing { room: room.clone(), users: users.iter().map(|user| matrix(user)).collect() }
}

/// Registers a room of a tenant with these members.
async fn room_with(messenger: &TestMessenger, tenant: TenantId, id: &str, members: &[&Caller]) -> RoomId {
    let kind = RoomKind::Service { source_app: id.to_owned() };
    let key = RoomKey { tenant, kind };
    let room = messenger
        .ports
        .rooms
        .register(&key, &RoomId::new(id), &Profile::default())
        .await
        .expect("registered");
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

/// Returns the typing events that arrive until the stream is silent.
async fn typing_events(stream: &mut Reader<EventStream>) -> Vec<SseEvent> {
    stream.within(SOON).await.into_iter().filter(|event| event.kind() == "typing").collect()
}

/// Returns the display names in each typing event.
fn names(events: &[SseEvent]) -> Vec<Vec<String>> {
    let name = |user: &serde_json::Value| user["display_name"].as_str().expect("a name").to_owned();
    let users =
        |event: &SseEvent| event.json()["users"].as_array().expect("a list").iter().map(name).collect();
    events.iter().map(users).collect()
}

#[tokio::test(start_paused = true)]
async fn a_member_receives_the_typing_users_and_the_end_of_typing() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    messenger
        .users()
        .sign_in(Identity { display_name: "Bärt".into(), ..fixtures::identity("Bert") })
        .await
        .expect("signed in");
    record_accounts(&messenger, &["anna", "Bert"]).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    let before = stream.decoder.last_id.clone();
    // The order does not matter, and the bot is left out.
    messenger.typing().publish(vec![typing(&room, &["anna", "messenger", "_bert", "anna"])]).await;
    messenger.typing().publish(vec![typing(&room, &[])]).await;
    let events = typing_events(&mut stream).await;
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
        assert_eq!((&event.id, &event.last_id), (&None, &before), "a typing event moves no cursor");
    }
}

#[tokio::test(start_paused = true)]
async fn a_typing_event_reaches_the_streams_of_all_processes() {
    let first = messenger().build();
    let second = first.another_process();
    let (_one, _other) = (first.run_broker(), second.run_broker());
    let (anna, bert) =
        (first.caller("anna", fixtures::TENANT).await, first.caller("bert", fixtures::TENANT).await);
    record_accounts(&first, &["bert"]).await;
    let room = room_with(&first, fixtures::TENANT, "!1", &[&anna, &bert]).await;
    let mut streams = [open(&first, &anna).await, open(&second, &anna).await, open(&second, &bert).await];
    first.another_process().typing().publish(vec![typing(&room, &["bert"])]).await;
    for stream in &mut streams {
        assert_eq!(names(&typing_events(stream).await), [["bert"]]);
    }
}

#[tokio::test(start_paused = true)]
async fn non_members_and_other_tenants_receive_no_typing() {
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
    let rooms: Vec<_> = [
        typing_events(&mut streams[0]).await,
        typing_events(&mut streams[1]).await,
        typing_events(&mut streams[2]).await,
    ]
    .iter()
    .map(|events| events.iter().map(|event| event.json()["room_id"].clone()).collect::<Vec<_>>())
    .collect();
    assert_eq!(rooms, [vec![json!("!1")], vec![], vec![json!("!2")]]);
    // A new member receives typing from the join on, and a former member does not.
    messenger.ports.memberships.add(fixtures::TENANT, &ours, bert.user.id()).await.expect("added");
    messenger.ports.memberships.remove(fixtures::TENANT, &ours, anna.user.id()).await.expect("removed");
    tokio::time::sleep(Duration::from_secs(2)).await;
    messenger.typing().publish(vec![typing(&ours, &[])]).await;
    assert_eq!(
        (typing_events(&mut streams[0]).await.len(), typing_events(&mut streams[1]).await.len()),
        (0, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_typing_user_of_another_tenant_or_server_has_no_hub_user_id() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    messenger.caller("carl", fixtures::OTHER_TENANT).await;
    record_accounts(&messenger, &["carl"]).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    let users = vec![matrix("carl"), MatrixUserId::new("@anna:elsewhere")];
    messenger.typing().publish(vec![Typing { room, users }]).await;
    let users = typing_events(&mut stream).await.pop().expect("a typing event").json()["users"].clone();
    assert_eq!(
        users,
        json!([
            { "matrix_user_id": "@anna:elsewhere", "hub_user_id": null, "display_name": "@anna:elsewhere" },
            { "matrix_user_id": "@carl:hub.local", "hub_user_id": null, "display_name": "carl" },
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn typing_is_neither_stored_nor_polled_nor_replayed() {
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
        assert_eq!(typing_events(&mut stream).await, []);
    }
}

#[tokio::test(start_paused = true)]
async fn typing_from_two_sources_is_published_once_and_later_again() {
    let messenger = messenger().build();
    let worker = messenger.another_process();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let other = room_with(&messenger, fixtures::TENANT, "!2", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    for users in [&["bert", "carl"][..], &["carl"], &[], &["carl"]] {
        messenger.typing().publish(vec![typing(&room, users)]).await;
        let mut reversed = users.to_vec();
        reversed.reverse();
        worker.typing().publish(vec![typing(&room, &reversed)]).await;
    }
    let all = names(&typing_events(&mut stream).await);
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 0, 1]);
    messenger.typing().publish(vec![typing(&other, &["carl"])]).await;
    assert_eq!(typing_events(&mut stream).await.len(), 1, "another room is published separately");
    // The end of typing was lost.
    tokio::time::sleep(Duration::from_secs(11)).await;
    messenger.typing().publish(vec![typing(&room, &["carl"])]).await;
    assert_eq!(typing_events(&mut stream).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_typing_event_of_a_room_counts() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_with(&messenger, fixtures::TENANT, "!1", &[&anna]).await;
    let mut stream = open(&messenger, &anna).await;
    messenger.typing().publish(vec![typing(&room, &["x"]), typing(&room, &[]), typing(&room, &["y"])]).await;
    assert_eq!(names(&typing_events(&mut stream).await), [["@y:hub.local"]]);
}

#[tokio::test(start_paused = true)]
async fn a_limited_number_of_typing_users_is_named() {
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
        let events = names(&typing_events(&mut stream).await);
        assert_eq!((events.len(), events[0].len()), (1, named), "the limit of an ephemeral event");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_misses_typing_and_is_not_disconnected() {
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
    // The send buffer has room left for stored events.
    let large = fixtures::event(Audience::Room(fixtures::TENANT, room.clone()), &"x".repeat(400 << 10));
    messenger.ports.feed.append(&[large]).await.expect("appended");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(messenger.broker().connections(), 1);
    let events = slow.within(SOON).await;
    let count = |kind: &str| events.iter().filter(|event| event.kind() == kind).count();
    assert!((1..1000).contains(&count("typing")), "{}", count("typing"));
    assert_eq!(count("new_message"), 1);
    messenger.typing().publish(vec![typing(&room, &["bert"])]).await;
    assert_eq!(typing_events(&mut slow).await.len(), 1, "typing arrives again after it has read");
}

#[tokio::test(start_paused = true)]
async fn typing_is_lost_without_delay_during_a_database_outage() {
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
    assert_eq!(typing_events(&mut stream).await, []);
}

#[tokio::test(start_paused = true)]
async fn typing_of_a_caller_is_published_by_way_of_the_homeserver() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = ready_caller(&messenger, "anna").await;
    let room = messenger.send(fixtures::draft("x"), WAIT).await.notification.room.expect("a room");
    let mut stream = open(&messenger, &anna).await;
    messenger
        .messages()
        .set_typing(&anna, &room, Some(Duration::from_secs(7)))
        .await
        .expect("typing was set");
    assert_eq!(messenger.homeserver.typing(&room), [(matrix("anna"), Duration::from_secs(7))]);
    assert_eq!(typing_events(&mut stream).await, [], "the homeserver publishes it");
    assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled").is_held());
    messenger.messages().set_typing(&anna, &room, None).await.expect("typing was set");
    assert_eq!(messenger.homeserver.typing(&room), []);
    for _ in 0..2 {
        assert!(messenger.reconcile().run("worker", Duration::ZERO).await.expect("reconciled").is_held());
    }
    assert_eq!(names(&typing_events(&mut stream).await), [vec!["anna"], vec![]]);
}

#[tokio::test(start_paused = true)]
async fn only_members_who_may_send_can_type() {
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
    assert_eq!(messenger.homeserver.calls(), calls, "the homeserver is not called");
}
