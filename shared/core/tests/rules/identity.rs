//! Changes of identity: memory, streams and polls end with them, and refused calls have no effect.

use std::time::Duration;

use messenger_core::{
    Error, Result,
    cursor::Since,
    event::{Audience, Kind},
    id::RoomId,
    live::event_stream::EventStream,
    media::Upload,
    message::OutgoingMessage,
    room::RoomCreation,
    user::{Caller, Identity, Role},
};
use messenger_testkit::{
    TestMessenger, fixtures, messenger,
    sse::{Reader, SseEvent},
};

use crate::{NO_WAIT, WAIT, identity_in, ready_caller, ready_with};

const SOON: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(25);
const ALL: Audience = Audience::Tenant(fixtures::TENANT);

async fn sign_in_with(messenger: &TestMessenger, name: &str, role: Role) {
    messenger.users().sign_in(Identity { role, ..fixtures::identity(name) }).await.expect("signed in");
}

async fn move_to_other_tenant(messenger: &TestMessenger, name: &str) {
    messenger.users().sign_in(identity_in(fixtures::OTHER_TENANT, name)).await.expect("signed in");
}

fn code<T>(result: Result<T>) -> &'static str {
    result.err().expect("refused").code()
}

async fn open(messenger: &TestMessenger, caller: &Caller) -> Reader<EventStream> {
    let mut stream = Reader::new(messenger.streams().subscribe(caller, None).await.expect("a stream"));
    assert_eq!(stream.next().await.expect("an event").kind(), "connected");
    stream
}

#[tokio::test]
async fn a_process_forgets_a_user_who_changes_in_another_process() {
    let first = messenger().build();
    let second = first.another_process();
    let seen = async || second.users().recognise(fixtures::identity("anna"), None).await;
    sign_in_with(&first, "anna", Role::User).await;
    assert_eq!(seen().await.expect("known").identity.role, Role::User);
    sign_in_with(&first, "anna", Role::Viewer).await;
    assert_eq!(seen().await.expect("known").identity.role, Role::Viewer);
    first
        .ports
        .external_access
        .enable(&fixtures::administrator(), &fixtures::user("anna"), &fixtures::any_version())
        .await
        .expect("enabled");
    assert!(seen().await.expect("known").external_client_enabled);
    let renamed = Identity { display_name: "Anna Neu".to_owned(), ..fixtures::identity("anna") };
    first.users().sign_in(renamed).await.expect("signed in");
    assert_eq!(seen().await.expect("known").identity.display_name, "Anna Neu");
    move_to_other_tenant(&first, "anna").await;
    assert_eq!(code(seen().await), "token_superseded");
    sign_in_with(&first, "anna", Role::User).await;
    assert!(seen().await.is_ok(), "a user who moved back is accepted");
}

#[tokio::test(start_paused = true)]
async fn a_stream_or_poll_of_a_former_tenant_does_not_begin() {
    let first = messenger().build();
    let second = first.another_process();
    let _broker = second.run_broker();
    let anna = second.caller("anna", fixtures::TENANT).await;
    first.memory.stop_notifying_watchers();
    move_to_other_tenant(&first, "anna").await;
    assert!(
        second.users().recognise(fixtures::identity("anna"), None).await.is_ok(),
        "the watcher was not notified"
    );
    tokio::time::sleep(SOON).await;
    let cursor = Since::Cursor("0".to_owned());
    assert_eq!(code(second.streams().poll(&anna, &cursor, NO_WAIT).await), "token_superseded");
    for cursor in [None, Some("0")] {
        assert_eq!(code(second.streams().subscribe(&anna, cursor).await), "token_superseded", "{cursor:?}");
    }
    assert_eq!(code(second.users().recognise(fixtures::identity("anna"), None).await), "token_superseded");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_the_role_changes() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let (mut stream, mut others) = (
        open(&messenger, &anna).await,
        open(&messenger, &messenger.caller("bert", fixtures::TENANT).await).await,
    );
    let renamed = Identity { display_name: "Anna Neu".to_owned(), ..fixtures::identity("anna") };
    messenger.users().sign_in(renamed.clone()).await.expect("signed in");
    messenger.ports.feed.append(&[fixtures::event(ALL, "still received")]).await.expect("appended");
    messenger.users().sign_in(Identity { role: Role::Viewer, ..renamed }).await.expect("signed in");
    messenger.ports.feed.append(&[fixtures::event(ALL, "no more")]).await.expect("appended");
    let events = stream.within(SOON).await;
    let kinds: Vec<_> = events.iter().map(SseEvent::kind).collect();
    assert_eq!(kinds, ["new_message", "role_changed"]);
    assert_eq!(events[1].json()["role"], "viewer");
    assert!(stream.next().await.is_none(), "the stream has ended");
    assert_eq!(others.within(SOON).await.len(), 2, "other streams continue");
    open(&messenger, &anna).await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_poll_ends_when_tenant_or_role_change() {
    let messenger = messenger().build();
    let _broker = messenger.run_broker();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let waiting = |messenger: &TestMessenger| {
        let (messenger, anna) = (messenger.clone(), anna.clone());
        tokio::spawn(
            async move { messenger.streams().poll(&anna, &Since::Reader(String::new()), LONG).await },
        )
    };
    let poll = waiting(&messenger);
    tokio::time::sleep(SOON).await;
    sign_in_with(&messenger, "anna", Role::Viewer).await;
    let page = poll.await.expect("it ends").expect("a page");
    assert_eq!(page.events.iter().map(|event| event.kind).collect::<Vec<_>>(), [Kind::RoleChanged]);
    let poll = waiting(&messenger);
    tokio::time::sleep(SOON).await;
    assert!(!poll.is_finished());
    move_to_other_tenant(&messenger, "anna").await;
    assert_eq!(code(poll.await.expect("it ends")), "token_superseded");
}

#[tokio::test]
async fn a_page_ends_where_its_user_left_the_tenant() {
    let messenger = messenger().build();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    messenger.ports.feed.append(&[fixtures::event(ALL, "before")]).await.expect("appended");
    move_to_other_tenant(&messenger, "anna").await;
    messenger.ports.feed.append(&[fixtures::event(ALL, "meanwhile")]).await.expect("appended");
    sign_in_with(&messenger, "anna", Role::User).await;
    let page =
        messenger.streams().poll(&anna, &Since::Cursor("0".to_owned()), NO_WAIT).await.expect("a page");
    let kinds: Vec<_> = page.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::NewMessage, Kind::AccessWithdrawn]);
    let next = Since::Cursor(page.cursor.to_string());
    assert_eq!(messenger.streams().poll(&anna, &next, NO_WAIT).await.expect("a page").events.len(), 1);
}

/// Returns a file to be uploaded.
fn file() -> Upload {
    let bytes = Box::pin(futures::stream::iter([Ok(bytes::Bytes::from_static(b"x"))]));
    Upload { filename: "x.txt".to_owned(), mimetype: "text/plain".to_owned(), size: 1, bytes }
}

/// Makes every call that changes something in a caller's name. Returns their names and results.
async fn every_call(
    messenger: &TestMessenger,
    caller: &Caller,
    open: &RoomId,
    own: &RoomId,
) -> Vec<(&'static str, Result<()>)> {
    let named = |invite: &[&str]| RoomCreation {
        name: "x".to_owned(),
        topic: None,
        invite: invite.iter().map(|&name| name.to_owned()).collect(),
    };
    let text = || OutgoingMessage::text("x", "m.text");
    vec![
        ("join", messenger.rooms().join(caller, open).await.map(drop)),
        ("create", messenger.rooms().create(caller, named(&[])).await.map(drop)),
        ("create with others", messenger.rooms().create(caller, named(&["bert"])).await.map(drop)),
        ("dm", messenger.rooms().open_direct_chat(caller, &fixtures::user("bert")).await.map(drop)),
        ("invite", messenger.rooms().invite(caller, own, "carl").await.map(drop)),
        ("send", messenger.service.messages().send(caller, own, text(), Some("1")).await.map(drop)),
        ("upload", messenger.media().upload(caller, own, file(), None, None).await.map(drop)),
        ("type", messenger.messages().set_typing(caller, own, Some(WAIT)).await),
        ("password", messenger.external_clients().credentials(caller).await.map(drop)),
        ("rotate", messenger.external_clients().rotate(caller).await.map(drop)),
        ("read", messenger.rooms().mark_read(caller, own).await),
        ("leave", messenger.rooms().leave(caller, own).await),
    ]
}

/// Creates a room that is open to the tenant, and one of Anna's own with Bert.
async fn two_rooms(messenger: &TestMessenger, anna: &Caller) -> (RoomId, RoomId) {
    ready_caller(messenger, "bert").await;
    ready_caller(messenger, "carl").await;
    let open = messenger.send(fixtures::machine(1, "x"), WAIT).await.notification.room.expect("a room");
    let named = RoomCreation { name: "own".to_owned(), topic: None, invite: vec!["bert".to_owned()] };
    let own = messenger.rooms().create(anna, named).await.expect("created").matrix_room_id;
    messenger.work().await;
    (open, own)
}

#[tokio::test(start_paused = true)]
async fn a_call_for_a_former_tenant_has_no_effect() {
    let messenger = messenger().build();
    let anna = ready_with(&messenger, "anna", Role::Admin).await;
    let (open, own) = two_rooms(&messenger, &anna).await;
    messenger.memory.stop_notifying_watchers();
    move_to_other_tenant(&messenger, "anna").await;
    messenger.work().await;
    let (calls, events) = (messenger.homeserver.calls(), messenger.memory.events().len());
    for (call, result) in every_call(&messenger, &anna, &open, &own).await {
        assert!(result.is_err(), "{call}");
    }
    messenger.work().await;
    assert_eq!(messenger.homeserver.calls(), calls, "the homeserver was not called");
    assert_eq!(messenger.memory.events().len(), events);
    assert!(!messenger.homeserver.members(&open).contains(&messenger.ids().of(&anna.user)));
}

#[tokio::test(start_paused = true)]
async fn a_call_with_a_former_role_has_no_effect() {
    let messenger = messenger().build();
    let anna = ready_with(&messenger, "anna", Role::Admin).await;
    let (open, own) = two_rooms(&messenger, &anna).await;
    messenger.memory.stop_notifying_watchers();
    sign_in_with(&messenger, "anna", Role::Viewer).await;
    let (calls, events) = (messenger.homeserver.calls(), messenger.memory.events().len());
    // Viewers may read, join and leave.
    let permitted = ["join", "read", "leave"];
    let (allowed, refused): (Vec<_>, Vec<_>) = every_call(&messenger, &anna, &open, &own)
        .await
        .into_iter()
        .partition(|(call, _)| permitted.contains(call));
    assert!(allowed.iter().all(|(_, result)| result.is_ok()), "{allowed:?}");
    for (call, result) in refused {
        let code = code(result);
        let expected = ["read_only_role", "external_access_disabled"];
        assert!(expected.contains(&code), "{call}: {code}");
    }
    assert_eq!(messenger.homeserver.calls() - calls, 1, "joining");
    let kinds: Vec<_> = messenger.memory.events().split_off(events).iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::RoomJoined, Kind::RoomLeft]);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_moves_while_joining_leaves_the_room_again() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let (open, own) = two_rooms(&messenger, &anna).await;
    let dora = ready_caller(&messenger, "dora").await;
    let user = messenger.ids().of(&dora.user);
    // The homeserver has joined Dora, and its response is delayed.
    messenger.homeserver.delay_responses(SOON);
    let (first, second) = (messenger.clone(), messenger.clone());
    let (joining, into) = (dora.clone(), open.clone());
    let joining = tokio::spawn(async move { first.rooms().join(&joining, &into).await });
    let (inviting, into) = (anna.clone(), own.clone());
    let inviting = tokio::spawn(async move { second.rooms().invite(&inviting, &into, "dora").await });
    tokio::time::sleep(SOON / 2).await;
    move_to_other_tenant(&messenger, "dora").await;
    assert!(matches!(joining.await.expect("it ends"), Err(Error::NotFound(_))));
    drop(inviting.await.expect("it ends"));
    messenger.homeserver.delay_responses(Duration::ZERO);
    messenger.work().await;
    for room in [&open, &own] {
        assert!(!messenger.homeserver.members(room).contains(&user), "{room}");
    }
}
