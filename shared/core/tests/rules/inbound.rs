//! Events that the homeserver pushes.

use messenger_core::{
    event::{Audience, Event, Kind},
    id::{EventId, MatrixUserId, Position, RoomId, TenantId},
    message::MessageContent,
    room::{Profile, RoomKey, RoomKind},
    room_event::{Content, RoomEvent},
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{WAIT, ready_caller, record_accounts};

fn matrix(id: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{id}:hub.local"))
}

fn message(id: &str, room: &RoomId, sender: &MatrixUserId, body: &str) -> RoomEvent {
    RoomEvent {
        event_id: EventId::new(id),
        room_id: room.clone(),
        sender: sender.clone(),
        timestamp: "2026-01-01T06:00:00Z".parse().expect("a time"),
        content: Content::Message(MessageContent::text(body, "m.text")),
        edited: None,
        notification: None,
        alarm: None,
        thread: None,
    }
}

fn membership(room: &RoomId, user: &MatrixUserId, joined: bool) -> RoomEvent {
    let id = if joined { "$joined" } else { "$left" };
    let content = if joined { Content::Joined(user.clone()) } else { Content::Left(user.clone()) };
    RoomEvent { content, ..message(id, room, user, "") }
}

/// Registers a room of a tenant.
async fn room_of(messenger: &TestMessenger, tenant: TenantId, id: &str) -> RoomId {
    let kind = RoomKind::Service { source_app: id.to_owned() };
    messenger
        .ports
        .rooms
        .register(&RoomKey { tenant, kind }, &RoomId::new(id), &Profile::default())
        .await
        .expect("registered")
}

async fn published(messenger: &TestMessenger, room: &RoomId) -> Vec<Event> {
    messenger
        .ports
        .feed
        .after(Position(0), &fixtures::all_of(&[Audience::Room(fixtures::TENANT, room.clone())]), 100)
        .await
        .expect("events")
}

#[tokio::test]
async fn a_message_reaches_the_members_of_its_room() {
    let messenger = messenger().build();
    messenger
        .users()
        .sign_in(messenger_core::user::Identity {
            display_name: "Änna".into(), ..fixtures::identity("Anna")
        })
        .await
        .expect("signed in");
    record_accounts(&messenger, &["Anna"]).await;
    let room = room_of(&messenger, fixtures::TENANT, "!1").await;
    messenger
        .ingest()
        .receive(vec![message("$1", &room, &matrix("_anna"), "Größe")])
        .await
        .expect("received");
    let events = published(&messenger, &room).await;
    assert_eq!((events.len(), events[0].kind), (1, Kind::NewMessage));
    let expected = "{\"id\":1,\"type\":\"new_message\",\"event_id\":\"$1\",\"room_id\":\"!1\",\
        \"sender\":\"@_anna:hub.local\",\"sender_display_name\":\"Änna\",\"body\":\"Größe\",\
        \"msg_type\":\"m.text\",\"timestamp\":\"2026-01-01T06:00:00.000000Z\",\"reply_to\":null,\
        \"formatted_body\":null,\"mentions\":{\"hub_user_ids\":[],\"room\":false}}";
    assert_eq!(events[0].json(), expected);
}

#[tokio::test]
async fn a_message_received_again_is_published_once() {
    let messenger = messenger().build();
    let room = room_of(&messenger, fixtures::TENANT, "!1").await;
    let events = || {
        (0..5).map(|n| message(&format!("${n}"), &room, &matrix("anna"), &n.to_string())).collect::<Vec<_>>()
    };
    messenger.ingest().receive(events()).await.expect("received");
    let others: tokio::task::JoinSet<_> = (0..10)
        .map(|_| {
            let (process, events) = (messenger.another_process(), events());
            async move { process.ingest().receive(events).await.expect("received") }
        })
        .collect();
    others.join_all().await;
    assert_eq!(published(&messenger, &room).await.len(), 5);
}

#[tokio::test]
async fn messages_keep_the_order_in_which_they_are_received() {
    let messenger = messenger().build();
    let room = room_of(&messenger, fixtures::TENANT, "!1").await;
    let events =
        (0..20).map(|n| message(&format!("${n}"), &room, &matrix("anna"), &format!("<{n}>"))).collect();
    messenger.ingest().receive(events).await.expect("received");
    for (n, event) in published(&messenger, &room).await.iter().enumerate() {
        assert!(event.json().contains(&format!("<{n}>")));
    }
}

#[tokio::test]
async fn a_message_of_the_bot_is_not_published_again() {
    let messenger = messenger().build();
    let room = messenger.send(fixtures::draft("x"), WAIT).await.notification.room.expect("sent");
    let before = messenger.memory.events().len();
    messenger
        .ingest()
        .receive(vec![message("$event1", &room, &matrix("messenger"), "[inventory] x")])
        .await
        .expect("received");
    assert_eq!(messenger.memory.events().len(), before);
}

#[tokio::test]
async fn events_of_unknown_rooms_are_ignored() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let before = messenger.memory.events().len();
    let foreign = RoomId::new("!foreign:elsewhere");
    let events = vec![
        message("$1", &foreign, &matrix("anna"), "x"),
        membership(&foreign, &matrix("anna"), true),
        membership(&foreign, &matrix("anna"), false),
    ];
    messenger.ingest().receive(events).await.expect("received");
    assert_eq!(messenger.memory.events().len(), before);
    assert!(
        !messenger
            .ports
            .memberships
            .of(fixtures::TENANT, anna.user.id())
            .await
            .expect("rooms")
            .contains(&foreign)
    );
}

#[tokio::test]
async fn events_after_those_of_an_unknown_room_are_published() {
    let messenger = messenger().build();
    let room = room_of(&messenger, fixtures::TENANT, "!1").await;
    let foreign = RoomId::new("!foreign");
    let events =
        vec![message("$1", &foreign, &matrix("anna"), "x"), message("$2", &room, &matrix("anna"), "y")];
    messenger.ingest().receive(events).await.expect("received");
    assert_eq!(published(&messenger, &room).await.len(), 1);
}

#[tokio::test]
async fn an_unknown_sender_is_named_by_their_matrix_id() {
    let messenger = messenger().build();
    messenger.caller("anna", fixtures::TENANT).await;
    let room = room_of(&messenger, fixtures::TENANT, "!1").await;
    for (n, sender) in
        ["@bert:hub.local", "@anna:elsewhere", "@anna:hub.local:8448", "anna"].iter().enumerate()
    {
        let event = message(&format!("${n}"), &room, &MatrixUserId::new(*sender), "x");
        messenger.ingest().receive(vec![event]).await.expect("received");
        let last = published(&messenger, &room).await.pop().expect("an event");
        assert!(last.json().contains(&format!("\"sender_display_name\":\"{sender}\"")), "{}", last.json());
    }
}

#[tokio::test]
async fn joins_and_leaves_are_ingested_once_each() {
    let messenger = messenger().build();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    record_accounts(&messenger, &["anna"]).await;
    let room = room_of(&messenger, fixtures::TENANT, "!1").await;
    let rooms =
        async || messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms");
    for _ in 0..2 {
        messenger.ingest().receive(vec![membership(&room, &matrix("anna"), true)]).await.expect("received");
    }
    assert_eq!(rooms().await, std::slice::from_ref(&room));
    for _ in 0..2 {
        messenger.ingest().receive(vec![membership(&room, &matrix("anna"), false)]).await.expect("received");
    }
    assert_eq!(rooms().await, []);
    let kinds: Vec<_> = messenger.memory.events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::RoomJoined, Kind::RoomLeft]);
}

#[tokio::test]
async fn a_late_leave_does_not_remove_a_member_who_has_rejoined() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    let room = messenger.send(fixtures::draft("x"), WAIT).await.notification.room.expect("sent");
    messenger.ports.membership_calls.join(&room, &matrix("anna")).await.expect("in again");
    messenger.ingest().receive(vec![membership(&room, &matrix("anna"), true)]).await.expect("received");
    messenger.ingest().receive(vec![membership(&room, &matrix("anna"), false)]).await.expect("received");
    let rooms =
        async || messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms");
    assert!(rooms().await.contains(&room));
    messenger.ports.membership_calls.leave(&room, &matrix("anna")).await.expect("left");
    messenger.ingest().receive(vec![membership(&room, &matrix("anna"), false)]).await.expect("received");
    assert!(!rooms().await.contains(&room), "the present membership counts");
}

#[tokio::test]
async fn a_user_who_joins_and_leaves_within_one_push_is_no_member() {
    let messenger = messenger().build();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    let room = room_of(&messenger, fixtures::TENANT, "!1").await;
    let events = [true, false].map(|joined| membership(&room, &matrix("anna"), joined));
    messenger.ingest().receive(events.to_vec()).await.expect("received");
    assert_eq!(messenger.ports.memberships.of(fixtures::TENANT, anna.user.id()).await.expect("rooms"), []);
}

#[tokio::test]
async fn a_user_of_another_tenant_never_becomes_a_member() {
    let messenger = messenger().build();
    let carl = messenger.caller("carl", fixtures::OTHER_TENANT).await;
    let room = room_of(&messenger, fixtures::TENANT, "!1").await;
    messenger.ingest().receive(vec![membership(&room, &matrix("carl"), true)]).await.expect("received");
    for tenant in [fixtures::TENANT, fixtures::OTHER_TENANT] {
        assert_eq!(messenger.ports.memberships.of(tenant, carl.user.id()).await.expect("rooms"), []);
    }
    assert!(messenger.memory.events().is_empty());
}
