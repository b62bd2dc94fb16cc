//! A closed room is gone for everybody, and its key gets another one. No notification is lost on the way.

use std::time::Duration;

use http::Method;
use messenger_core::{
    Error, Messenger,
    id::{HubUserId, RoomId},
    message::OutgoingMessage,
    notification::{Notification, SendResult, Status},
    room::{RoomCreation, RoomKey},
    user::Caller,
};
use messenger_testkit::fixtures::{self, TENANT};
use serde_json::{Value, json};

use crate::fixture::{Site, token, work};

fn key() -> RoomKey {
    fixtures::machine(42, "").room_key(TENANT)
}

fn text(body: &str) -> OutgoingMessage {
    OutgoingMessage::text(body.to_owned(), "m.text")
}

async fn close(site: &Site, room: &RoomId) -> (u16, Value) {
    let path = format!("/api/v1/admin/rooms/{room}");
    let closed = site.call(&token("chief", "admin", 1), &Method::DELETE, &path, None).await;
    (closed.status, closed.body)
}

/// Creates the room of machine 42 with this member.
async fn machine_room(site: &Site, member: &Caller) -> RoomId {
    let sent = site.notify(&site.messenger, fixtures::machine(42, "first")).await;
    let room = sent.notification.room.expect("a room");
    site.messenger.rooms().join(member, &room).await.expect("joined");
    room
}

fn is_not_found<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotFound(_)))
}

async fn stored(messenger: &Messenger, sent: &SendResult) -> Notification {
    messenger.notifications().find(&fixtures::satellite(), sent.notification.id).await.expect("it exists")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_room_is_gone_for_everybody() {
    let site = Site::start().await;
    let (anna, bert) = (site.ready("anna").await, site.ready("bert").await);
    let room = machine_room(&site, &anna).await;
    let guest = site.messenger.ids().of(&bert.user);
    site.homeserver.join_as_other_client(&room, &guest);

    let closed = json!({ "ok": true, "deleted": true, "already_closed": false, "homeserver": "closed" });
    assert_eq!(close(&site, &room).await, (200, closed));
    work(&site.messenger).await;
    assert_eq!(site.homeserver.members(&room), [], "everybody is out");
    assert!(!site.homeserver.has_bot(&room));
    assert_eq!(site.homeserver.room_by_alias(&key().alias()), None, "the alias is free");
    let left =
        "select count(*) from events where kind = 'room_left' and audience = 't1:u:anna' and room_id = $1
        and (room).last_message is null and leave_reason = 'closed'";
    let left: i64 = site.client().await.query_one(left, &[&room.as_str()]).await.expect("a count").get(0);
    assert_eq!(left, 1);

    let (rooms, messages) = (site.messenger.rooms(), site.messenger.messages());
    assert!(is_not_found(&messages.send(&anna, &room, text("hello"), None).await));
    assert!(is_not_found(&rooms.join(&anna, &room).await));
    assert!(is_not_found(&rooms.invite(&anna, &room, "bert").await));
    assert!(is_not_found(&rooms.members(&anna, &room).await));
    assert!(is_not_found(&rooms.mark_read(&anna, &room).await));
    assert!(is_not_found(&rooms.leave(&anna, &room).await));
    assert!(is_not_found(&site.messenger.history().page(&anna, &room, None, 10).await));

    let again = json!({ "ok": true, "deleted": false, "already_closed": true, "homeserver": "closed" });
    assert_eq!(close(&site, &room).await, (200, again));
    let audit = site.get(&token("chief", "admin", 1), "/api/v1/admin/audit").await.body;
    assert_eq!(audit["entries"].as_array().map(Vec::len), Some(1), "a repetition changes nothing");
    assert_eq!(audit["entries"][0]["action"], "room.close");
    assert_eq!(audit["entries"][0]["subject"], json!(room));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_notification_makes_another_room() {
    let site = Site::start().await;
    let anna = site.ready("anna").await;
    let room = machine_room(&site, &anna).await;
    close(&site, &room).await;
    let sent = site.notify(&site.messenger, fixtures::machine(42, "second")).await;
    let next = sent.notification.room.expect("a room");
    assert_ne!(next, room);
    assert_eq!(site.homeserver.room_by_alias(&key().alias()), Some(next.clone()));
    assert_eq!(site.homeserver.bodies(&next).len(), 1);
    site.messenger.rooms().join(&anna, &next).await.expect("the new room is open as the old one was");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_the_room_in_its_cache_sends_into_the_next_one() {
    let site = Site::start().await;
    let anna = site.ready("anna").await;
    let room = machine_room(&site, &anna).await;
    let other = site.another_process();
    let before = site.notify(&other, fixtures::machine(42, "cached")).await;
    assert_eq!(before.notification.room, Some(room.clone()));
    // The bot is still in the room: the homeserver would take the message.
    site.homeserver.switch_off();
    assert_eq!(close(&site, &room).await.1["homeserver"], "pending");
    site.homeserver.switch_on();
    let after = site.notify(&other, fixtures::machine(42, "after")).await;
    let next = after.notification.room.expect("a room");
    assert_eq!(after.notification.status, Status::Sent);
    assert_ne!(next, room);
    assert!(site.homeserver.bodies(&room).iter().all(|body| !body.contains("after")));
    let in_log = "select room_id from events where kind = 'notification' order by position desc limit 1";
    let in_log: Option<String> = site.client().await.query_one(in_log, &[]).await.expect("an event").get(0);
    assert_ne!(in_log.as_deref(), Some(room.as_str()), "the live event does not name the closed room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_that_the_bot_cannot_send_any_more_goes_to_the_next_room() {
    let site = Site::start().await;
    let anna = site.ready("anna").await;
    let room = machine_room(&site, &anna).await;
    let other = site.another_process();
    site.notify(&other, fixtures::machine(42, "cached")).await;
    let pending = site.queue(&other, fixtures::machine(42, "queued")).await;
    assert_eq!(close(&site, &room).await.1["homeserver"], "closed");
    work(&other).await;
    let delivered = stored(&other, &pending).await;
    assert_eq!(delivered.status, Status::Sent);
    assert_ne!(delivered.room, Some(room));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_does_not_report_a_message_that_nobody_sees_as_sent() {
    let site = Site::start().await;
    let anna = site.ready("anna").await;
    let room = machine_room(&site, &anna).await;
    let other = site.another_process();
    site.notify(&other, fixtures::machine(42, "cached")).await;
    let pending = site.queue(&other, fixtures::machine(42, "queued")).await;
    site.homeserver.switch_off();
    close(&site, &room).await;
    site.homeserver.switch_on();
    // The bot is still in the closed room, so the homeserver takes the message there.
    work(&other).await;
    let delivered = stored(&other, &pending).await;
    let next = delivered.room.expect("a room");
    assert_eq!((delivered.status, next == room), (Status::Sent, false));
    assert!(site.homeserver.bodies(&next).iter().any(|body| body.contains("queued")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_in_flight_while_the_room_is_closed_reaches_the_next_room() {
    let site = Site::start().await;
    let anna = site.ready("anna").await;
    let room = machine_room(&site, &anna).await;
    let other = site.another_process();
    site.notify(&other, fixtures::machine(42, "cached")).await;
    site.homeserver.delay_requests(Duration::from_millis(400));
    let (sent, closed) = tokio::join!(site.notify(&other, fixtures::machine(42, "in flight")), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        close(&site, &room).await
    });
    assert_eq!(closed.0, 200);
    site.homeserver.delay_requests(Duration::ZERO);
    for _ in 0..200 {
        work(&other).await;
        let delivered = stored(&other, &sent).await;
        if delivered.status == Status::Sent && delivered.room.as_ref() != Some(&room) {
            let next = delivered.room.expect("a room");
            assert!(site.homeserver.bodies(&next).iter().any(|body| body.contains("in flight")));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the notification has not reached the next room: {:?}", stored(&other, &sent).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_direct_chat_begins_again_after_it_was_closed() {
    let site = Site::start().await;
    let (anna, bert) = (site.ready("anna").await, site.ready("bert").await);
    let other = site.another_process();
    let open = async |messenger: &Messenger, partner: &HubUserId| {
        let opened = messenger.rooms().open_direct_chat(&anna, partner).await;
        opened.expect("opened").matrix_room_id
    };
    let chat = open(&site.messenger, bert.user.id()).await;
    assert_eq!(open(&other, bert.user.id()).await, chat, "the other process knows it now");
    let own = site.notify(&other, fixtures::dm("anna", "hello")).await.notification.room.expect("a room");
    for room in [&chat, &own] {
        assert_eq!(close(&site, room).await.0, 200);
    }
    work(&site.messenger).await;
    let next = open(&other, bert.user.id()).await;
    assert_ne!(next, chat);
    assert_eq!(site.homeserver.members(&next).len(), 2);
    let again = site.notify(&other, fixtures::dm("anna", "again")).await.notification;
    assert_eq!(again.status, Status::Sent);
    let again = again.room.expect("a room");
    assert_ne!(again, own);
    assert_eq!(site.homeserver.members(&again), [site.messenger.ids().of(&anna.user)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_room_is_neither_ingested_nor_adopted_again() {
    let site = Site::start().await;
    let (anna, bert) = (site.ready("anna").await, site.ready("bert").await);
    let creation = RoomCreation { name: "Schicht".into(), topic: None, invite: vec!["bert".into()] };
    let room = site.messenger.rooms().create(&anna, creation).await.expect("created").matrix_room_id;
    let other = site.another_process();
    site.homeserver.empower(&room, &site.messenger.ids().of(&bert.user));
    let sender = site.messenger.ids().of(&anna.user);
    let early = site.homeserver.send_text(&room, &sender, "before");
    other.ingest().receive(vec![site.homeserver.room_event(&room, &early)]).await.expect("ingested");
    assert_eq!(close(&site, &room).await.0, 200);
    let late = site.homeserver.send_text(&room, &sender, "a late secret");
    let event = site.homeserver.room_event(&room, &late);
    for messenger in [&other, &site.messenger, &site.another_process()] {
        messenger.ingest().receive(vec![event.clone()]).await.expect("ignored");
    }
    let left = "select (select count(*) from rooms where matrix_room_id = $1)
        + (select count(*) from room_members where matrix_room_id = $1)
        + (select count(*) from recent_messages where matrix_room_id = $1)
        + (select count(*) from events where room_id = $1 and payload like '%a late secret%')";
    let left: i64 = site.client().await.query_one(left, &[&room.as_str()]).await.expect("a count").get(0);
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_joins_during_the_closing_is_out_again() {
    let site = Site::start().await;
    let (anna, bert) = (site.ready("anna").await, site.ready("bert").await);
    let room = machine_room(&site, &anna).await;
    site.homeserver.delay_responses(Duration::from_millis(300));
    let (joined, closed) = tokio::join!(site.messenger.rooms().join(&bert, &room), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        close(&site, &room).await
    });
    site.homeserver.delay_responses(Duration::ZERO);
    assert!(is_not_found(&joined));
    assert_eq!(closed.0, 200);
    work(&site.messenger).await;
    assert_eq!(site.homeserver.members(&room), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_closes_the_room_once_the_homeserver_is_back() {
    let site = Site::start().await;
    let anna = site.ready("anna").await;
    let room = machine_room(&site, &anna).await;
    site.homeserver.switch_off();
    assert_eq!(close(&site, &room).await.1["homeserver"], "pending");
    assert!(is_not_found(&site.messenger.rooms().members(&anna, &room).await), "here it is closed at once");
    site.homeserver.switch_on();
    site.messenger.operations().retry_now().await.expect("due");
    work(&site.messenger).await;
    assert!(!site.homeserver.has_bot(&room));
    assert_eq!(site.homeserver.members(&room), []);
    assert!(!site.messenger.operations().is_backing_off().await.expect("read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whom_the_bot_cannot_remove_stops_nothing() {
    let site = Site::start().await;
    let (anna, bert) = (site.ready("anna").await, site.ready("bert").await);
    let room = machine_room(&site, &anna).await;
    let guest = site.messenger.ids().of(&bert.user);
    site.homeserver.join_as_other_client(&room, &guest);
    site.homeserver.empower(&room, &guest);
    assert_eq!(close(&site, &room).await.1["homeserver"], "closed");
    assert!(!site.homeserver.has_bot(&room));
    assert_eq!(site.messenger.closures().close_due().await.expect("read"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_general_room_and_those_of_others_are_not_closed() {
    let site = Site::start().await;
    let anna = site.ready("anna").await;
    let room = machine_room(&site, &anna).await;
    let general = site.notify(&site.messenger, fixtures::draft("hello")).await.notification.room;
    let (status, problem) = close(&site, &general.expect("a room")).await;
    assert_eq!((status, &problem["code"]), (409, &json!("room_is_general")));
    assert_eq!(close(&site, &fixtures::room("!nowhere")).await.0, 404);
    let path = format!("/api/v1/admin/rooms/{room}");
    let foreign = site.call(&token("other", "admin", 2), &Method::DELETE, &path, None).await;
    assert_eq!(foreign.status, 404);
    let superior = format!("{path}?tenant_id=2");
    let superior = site.call(&token("boss", "super_admin", 1), &Method::DELETE, &superior, None).await;
    assert_eq!(superior.status, 404);
    let entries: i64 =
        site.client().await.query_one("select count(*) from audit_log", &[]).await.expect("a count").get(0);
    assert_eq!(entries, 0, "nothing has changed");
    site.messenger.rooms().members(&anna, &room).await.expect("the room is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_room_is_closed_with_its_successor() {
    let site = Site::start().await;
    let anna = site.ready("anna").await;
    let creation = RoomCreation { name: "Schicht".into(), topic: None, invite: Vec::new() };
    let old = site.messenger.rooms().create(&anna, creation).await.expect("created").matrix_room_id;
    let (new, tombstone) = site.homeserver.upgrade_room(&old, &site.messenger.ids().of(&anna.user));
    let tombstone = site.homeserver.room_event(&old, &tombstone);
    site.messenger.ingest().receive(vec![tombstone]).await.expect("upgraded");
    let (status, problem) = close(&site, &old).await;
    assert_eq!((status, &problem["successor_room_id"]), (409, &json!(new)));
    assert_eq!(close(&site, &new).await.0, 200);
    work(&site.messenger).await;
    for room in [&old, &new] {
        assert!(!site.homeserver.has_bot(room), "{room}");
        assert!(is_not_found(&site.messenger.history().page(&anna, room, None, 10).await), "{room}");
    }
    assert_eq!(close(&site, &old).await.1["already_closed"], true);
}
