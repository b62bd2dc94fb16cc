//! Direct messages reach their recipient and no other user.

use std::time::Duration;

use messenger_core::{
    event::{Event, Kind},
    id::{MatrixUserId, TenantId},
    notification::{Notification, Satellite, Status, reason},
    room::{RoomKey, RoomKind},
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{NO_WAIT, WAIT, identity_in, ready_caller, run_until_idle};

/// Returns the texts in the room of the bot and this user; `None` if there is no such room.
fn bodies_in_bot_room(messenger: &TestMessenger, tenant: TenantId, name: &str) -> Option<Vec<String>> {
    let key = RoomKey { tenant, kind: RoomKind::BotDm { user: fixtures::user(name) } };
    messenger.homeserver.room_by_alias(&key.alias()).map(|room| messenger.homeserver.bodies(&room))
}

async fn found(messenger: &TestMessenger, of: &Notification) -> Notification {
    messenger.notifications().find(&fixtures::satellite(), of.id).await.expect("it is stored")
}

fn matrix(localpart: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{localpart}:hub.local"))
}

#[tokio::test(start_paused = true)]
async fn a_known_user_gets_a_direct_message_in_the_room_with_the_bot() {
    let messenger = messenger().build();
    ready_caller(&messenger, "anna").await;
    let sent = messenger.send(fixtures::dm("anna", "Hallo"), WAIT).await.notification;
    assert_eq!(sent.status, Status::Sent);
    let room = sent.room.expect("sent");
    let asked = messenger.homeserver.creation_request(&room);
    assert!(asked.is_direct);
    assert_eq!((asked.name.as_str(), asked.invite), ("Messenger", vec![matrix("anna")]));
    assert_eq!(messenger.homeserver.members(&room), [matrix("anna")]);
    assert_eq!(messenger.homeserver.bodies(&room), ["[inventory] Hallo"]);
    assert!(
        messenger
            .ports
            .memberships
            .of(fixtures::TENANT, &fixtures::user("anna"))
            .await
            .expect("rooms")
            .contains(&room)
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_not_provisioned_yet_gets_a_direct_message_at_once() {
    let messenger = messenger().build();
    messenger.caller("anna", fixtures::TENANT).await;
    let sent = messenger.send(fixtures::dm("anna", "Hallo"), WAIT).await.notification;
    assert_eq!(sent.status, Status::Sent);
    assert_eq!(messenger.homeserver.display_name(&matrix("anna")).as_deref(), Some("anna"));
}

#[tokio::test(start_paused = true)]
async fn a_direct_message_to_an_unknown_user_is_held() {
    let messenger = messenger().build();
    let held = messenger.send(fixtures::dm("anna", "Hallo"), WAIT).await.notification;
    assert_eq!(held.status, Status::Pending);
    assert_eq!(held.reason.as_deref(), Some(reason::RECIPIENT_NOT_PROVISIONED));
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.calls(), 0, "no call is made");
    assert!(messenger.memory.events().is_empty(), "no event is published");
    assert_eq!(found(&messenger, &held).await.status, Status::Pending);
}

#[tokio::test(start_paused = true)]
async fn held_messages_are_delivered_in_order_at_the_first_sign_in() {
    let messenger = messenger().build();
    for n in 0..3 {
        messenger.send(fixtures::dm("anna", &n.to_string()), NO_WAIT).await;
    }
    ready_caller(&messenger, "bert").await;
    assert_eq!(bodies_in_bot_room(&messenger, fixtures::TENANT, "anna"), None);
    ready_caller(&messenger, "anna").await;
    let expected = ["[inventory] 0", "[inventory] 1", "[inventory] 2"].map(str::to_owned).to_vec();
    assert_eq!(bodies_in_bot_room(&messenger, fixtures::TENANT, "anna"), Some(expected));
    let published: Vec<_> =
        messenger.memory.events().into_iter().filter(|event| event.notification.is_some()).collect();
    assert_eq!(published.len(), 6, "each is announced, and published as sent");
    let anna = messenger_core::event::Audience::User(fixtures::TENANT, fixtures::user("anna"));
    assert!(published.iter().all(|event| event.audience == anna), "only she receives them");
}

#[tokio::test(start_paused = true)]
async fn held_messages_are_published_at_the_first_sign_in_even_without_the_homeserver() {
    let messenger = messenger().build();
    for n in 0..3 {
        messenger.send(fixtures::dm("anna", &n.to_string()), NO_WAIT).await;
    }
    let is_announcement = |event: &Event| event.kind == Kind::Notification;
    let published = || messenger.memory.events().iter().filter(|event| is_announcement(event)).count();
    messenger.homeserver.switch_off();
    ready_caller(&messenger, "anna").await;
    assert_eq!(published(), 3);
    messenger.homeserver.switch_on();
    run_until_idle(&messenger).await;
    assert_eq!(published(), 3, "they are not published again");
    assert_eq!(bodies_in_bot_room(&messenger, fixtures::TENANT, "anna").map(|bodies| bodies.len()), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_message_held_for_a_week_is_never_delivered() {
    let messenger = messenger().build();
    let held = messenger.send(fixtures::dm("anna", "Hallo"), NO_WAIT).await.notification;
    messenger.pass(Duration::from_hours(7 * 24 + 1));
    assert_eq!(messenger.ports.maintenance.expire().await.expect("expired"), 1);
    ready_caller(&messenger, "anna").await;
    run_until_idle(&messenger).await;
    assert_eq!(bodies_in_bot_room(&messenger, fixtures::TENANT, "anna"), None);
    assert_eq!(found(&messenger, &held).await.status, Status::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_user_of_another_tenant_is_an_unknown_user() {
    let messenger = messenger().build();
    messenger.caller("anna", fixtures::OTHER_TENANT).await;
    messenger.work().await;
    let before = messenger.homeserver.all_bodies();
    let held = messenger.send(fixtures::dm("anna", "secret"), WAIT).await.notification;
    assert_eq!(held.reason.as_deref(), Some(reason::RECIPIENT_NOT_PROVISIONED));
    messenger.caller("anna", fixtures::OTHER_TENANT).await;
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.all_bodies(), before);
    assert!(messenger.memory.events().iter().all(|event| event.notification.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_user_who_moved_gets_no_messages_of_the_old_tenant() {
    let messenger = messenger().build();
    ready_caller(&messenger, "anna").await;
    messenger.send(fixtures::dm("anna", "before"), WAIT).await;
    messenger.homeserver.switch_off();
    messenger.send(fixtures::dm("anna", "stuck"), WAIT).await;
    messenger.users().sign_in(identity_in(fixtures::OTHER_TENANT, "anna")).await.expect("signed in");
    messenger.homeserver.switch_on();
    messenger.send(fixtures::dm("anna", "after"), WAIT).await;
    run_until_idle(&messenger).await;
    assert_eq!(
        bodies_in_bot_room(&messenger, fixtures::TENANT, "anna"),
        Some(vec!["[inventory] before".to_owned()])
    );
    assert_eq!(bodies_in_bot_room(&messenger, fixtures::OTHER_TENANT, "anna"), None);
    let satellite = Satellite { tenant: fixtures::OTHER_TENANT, ..fixtures::satellite() };
    messenger
        .notifications()
        .notify(satellite, fixtures::dm("anna", "here"), fixtures::waiting(WAIT))
        .await
        .expect("accepted");
    assert_eq!(
        bodies_in_bot_room(&messenger, fixtures::OTHER_TENANT, "anna"),
        Some(vec!["[inventory] here".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_who_moved_back_gets_the_messages_that_waited() {
    let messenger = messenger().build();
    ready_caller(&messenger, "anna").await;
    messenger.users().sign_in(identity_in(fixtures::OTHER_TENANT, "anna")).await.expect("signed in");
    messenger.send(fixtures::dm("anna", "waits"), WAIT).await;
    run_until_idle(&messenger).await;
    messenger.another_process().caller("anna", fixtures::TENANT).await;
    run_until_idle(&messenger).await;
    assert_eq!(
        bodies_in_bot_room(&messenger, fixtures::TENANT, "anna"),
        Some(vec!["[inventory] waits".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn no_message_is_lost_when_the_recipient_moves_concurrently() {
    for round in 0..200 {
        let messenger = messenger().build();
        messenger.caller("anna", fixtures::TENANT).await;
        messenger.memory.jitter(Duration::from_millis(20));
        let moved = messenger.users().sign_in(identity_in(fixtures::OTHER_TENANT, "anna"));
        let (message, moved) = tokio::join!(messenger.send(fixtures::dm("anna", "x"), WAIT), moved);
        moved.expect("signed in");
        messenger.memory.jitter(Duration::ZERO);
        run_until_idle(&messenger).await;
        messenger.another_process().caller("anna", fixtures::TENANT).await;
        run_until_idle(&messenger).await;
        let message = found(&messenger, &message.notification).await;
        assert_eq!(message.status, Status::Sent, "round {round}: {:?}", message.reason);
        assert_eq!(
            bodies_in_bot_room(&messenger, fixtures::TENANT, "anna"),
            Some(vec!["[inventory] x".to_owned()])
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_moves_during_delivery_gets_no_further_messages() {
    let messenger = messenger().build();
    ready_caller(&messenger, "anna").await;
    messenger.send(fixtures::dm("anna", "0"), WAIT).await;
    for n in 1..4 {
        messenger.send(fixtures::dm("anna", &n.to_string()), NO_WAIT).await;
    }
    messenger.homeserver.delay_requests(Duration::from_secs(1));
    let worker = messenger.clone();
    let working =
        tokio::spawn(async move { worker.delivery().deliver_due().await.expect("the outbox can be read") });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    messenger.users().sign_in(identity_in(fixtures::OTHER_TENANT, "anna")).await.expect("signed in");
    working.await.expect("no panic");
    let bodies = bodies_in_bot_room(&messenger, fixtures::TENANT, "anna").expect("her room");
    assert_eq!(bodies.len(), 3, "only the message in flight arrives: {bodies:?}");
}

#[tokio::test(start_paused = true)]
async fn a_user_who_moves_while_their_room_is_created_gets_the_message_at_their_return() {
    let messenger = messenger().build();
    ready_caller(&messenger, "anna").await;
    messenger.homeserver.delay_requests(Duration::from_secs(1));
    let sender = messenger.clone();
    let sending = tokio::spawn(async move { sender.send(fixtures::dm("anna", "secret"), WAIT).await });
    tokio::time::sleep(Duration::from_millis(1500)).await;
    messenger.users().sign_in(identity_in(fixtures::OTHER_TENANT, "anna")).await.expect("signed in");
    let pending = sending.await.expect("no panic").notification;
    assert_eq!(pending.status, Status::Pending);
    messenger.homeserver.delay_requests(Duration::ZERO);
    run_until_idle(&messenger).await;
    assert_eq!(bodies_in_bot_room(&messenger, fixtures::TENANT, "anna"), Some(vec![]));
    let waiting = found(&messenger, &pending).await;
    assert_eq!(waiting.reason.as_deref(), Some(reason::RECIPIENT_NOT_PROVISIONED));
    messenger.another_process().caller("anna", fixtures::TENANT).await;
    run_until_idle(&messenger).await;
    assert_eq!(found(&messenger, &pending).await.status, Status::Sent);
}

#[tokio::test(start_paused = true)]
async fn users_with_similar_names_have_rooms_of_their_own() {
    let messenger = messenger().build();
    let names = ["max", "Max", "MAX", "m_ax", "mäx", "ma x", "messenger", "conduit"];
    for name in names {
        ready_caller(&messenger, name).await;
        assert_eq!(messenger.send(fixtures::dm(name, name), WAIT).await.notification.status, Status::Sent);
    }
    for name in names {
        assert_eq!(
            bodies_in_bot_room(&messenger, fixtures::TENANT, name),
            Some(vec![format!("[inventory] {name}")])
        );
    }
    assert_eq!(messenger.homeserver.accounts(), names.len());
    assert_eq!(
        messenger.homeserver.display_name(&matrix("messenger")),
        None,
        "no user gets the bot's account"
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_who_left_the_chat_is_joined_again_by_the_next_message() {
    let messenger = messenger().build();
    ready_caller(&messenger, "anna").await;
    let room = messenger.send(fixtures::dm("anna", "one"), WAIT).await.notification.room.expect("sent");
    messenger.ports.membership_calls.leave(&room, &matrix("anna")).await.expect("left");
    messenger
        .ports
        .memberships
        .remove(fixtures::TENANT, &room, &fixtures::user("anna"))
        .await
        .expect("stored");
    let sent = messenger.send(fixtures::dm("anna", "two"), WAIT).await.notification;
    assert_eq!((sent.status, sent.room.as_ref()), (Status::Sent, Some(&room)));
    assert_eq!(messenger.homeserver.members(&room), [matrix("anna")]);
    assert!(
        messenger
            .ports
            .memberships
            .of(fixtures::TENANT, &fixtures::user("anna"))
            .await
            .expect("rooms")
            .contains(&room)
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_to_another_spelling_of_an_id_is_held_for_the_same_user() {
    let messenger = messenger().build();
    let id = |text: &str| messenger_core::id::HubUserId::parse(text).expect("an id");
    let to = |text: &str| messenger_core::notification::Draft {
        target: messenger_core::notification::Target::Dm(id(text)),
        ..fixtures::draft(text)
    };
    for spelling in ["mu\u{308}ller", " müller\u{a0}"] {
        assert_eq!(messenger.send(to(spelling), NO_WAIT).await.notification.status, Status::Pending);
    }
    messenger.caller("müller", fixtures::TENANT).await;
    run_until_idle(&messenger).await;
    assert_eq!(
        bodies_in_bot_room(&messenger, fixtures::TENANT, "müller").map(|bodies| bodies.len()),
        Some(2)
    );
}
