//! Rooms that are encrypted later, and encrypted rooms with users who have no Matrix client.

use messenger_core::{
    id::{MatrixUserId, RoomId},
    message::OutgoingMessage,
    notification::{Status, reason},
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};
use serde_json::json;

use crate::{WAIT, in_general_room, ready_caller, run_until_idle};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

async fn receive_text(messenger: &TestMessenger, room: &RoomId, user: &str, body: &str) {
    let sent = messenger.homeserver.send_text(room, &matrix(user), body);
    messenger.ingest().receive(vec![messenger.homeserver.room_event(room, &sent)]).await.expect("received");
}

async fn encrypt(messenger: &TestMessenger, room: &RoomId, user: &str) {
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    let event = messenger.homeserver.set_state(room, &matrix(user), "m.room.encryption", algorithm);
    let event = messenger.homeserver.room_event(room, &event);
    // The event arrives by push and by the worker.
    for _ in 0..2 {
        messenger.ingest().receive(vec![event.clone()]).await.expect("received");
    }
}

fn notices(messenger: &TestMessenger, room: &RoomId) -> Vec<String> {
    let messages = messenger.homeserver.messages(room).into_iter();
    let notices = messages.filter(|message| message.content["msgtype"] == "m.notice");
    notices.map(|message| message.body().to_owned()).collect()
}

async fn with_external_access(messenger: &TestMessenger, name: &str) -> Caller {
    let caller = ready_caller(messenger, name).await;
    messenger.enable_external(caller.user.id()).await.expect("enabled");
    caller
}

fn encrypted_room(messenger: &TestMessenger, others: &[&str], is_direct: bool) -> RoomId {
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[], is_direct);
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    messenger.homeserver.set_state(&room, &matrix("anna"), "m.room.encryption", algorithm);
    for other in others {
        messenger.homeserver.invite(&room, &matrix("anna"), &matrix(other));
    }
    room
}

#[tokio::test]
async fn a_room_encrypted_later_gets_one_notice_and_refuses_plain_text() {
    let messenger = messenger().build();
    let (anna, bert) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], false);
    receive_text(&messenger, &room, "anna", "eins").await;
    let is_encrypted = async |caller: &Caller| {
        let rooms = messenger.rooms().list(caller).await.expect("rooms");
        rooms.iter().find(|seen| seen.matrix_room_id == room).expect("the room").encrypted
    };
    assert!(!is_encrypted(&bert).await);
    encrypt(&messenger, &room, "anna").await;
    assert!(is_encrypted(&bert).await);
    let notices = notices(&messenger, &room);
    assert!(
        notices.len() == 1 && notices[0].starts_with("Dieser Raum ist ab jetzt verschlüsselt"),
        "{notices:?}"
    );
    for caller in [&anna, &bert] {
        let error = messenger
            .service
            .messages()
            .send(caller, &room, OutgoingMessage::text("x", "m.text"), None)
            .await
            .expect_err("refused");
        assert_eq!(error.code(), "room_encrypted");
        assert!(error.failure().is_none());
        assert_eq!(
            messenger.authorization().check_may_write(caller, &room).await.expect_err("refused").code(),
            "room_encrypted"
        );
    }
    let bodies = messenger.homeserver.bodies(&room).into_iter().filter(|body| !body.is_empty());
    assert_eq!(bodies.count(), 2, "the earlier message and the notice");
    // Another process refuses as well.
    let other = messenger.another_process();
    assert!(
        other
            .service
            .messages()
            .send(&bert, &room, OutgoingMessage::text("x", "m.text"), None)
            .await
            .is_err()
    );
    assert_eq!(messenger.history().page(&bert, &room, None, 10).await.expect("a page").messages.len(), 2);
}

#[tokio::test]
async fn a_send_notices_encryption_before_its_event_arrives() {
    let messenger = messenger().build();
    let anna = ready_caller(&messenger, "anna").await;
    ready_caller(&messenger, "bert").await;
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], false);
    receive_text(&messenger, &room, "anna", "eins").await;
    let algorithm = json!({ "algorithm": "m.megolm.v1.aes-sha2" });
    messenger.homeserver.set_state(&room, &matrix("anna"), "m.room.encryption", algorithm);
    let upload = messenger_core::media::Upload {
        filename: "a".to_owned(),
        mimetype: "text/plain".to_owned(),
        size: 0,
        bytes: Box::pin(futures::stream::empty()),
    };
    let error = messenger.media().upload(&anna, &room, upload, None, None).await.expect_err("refused");
    assert_eq!((error.code(), messenger.homeserver.files()), ("room_encrypted", 0));
}

#[tokio::test]
async fn a_notification_is_never_sent_into_an_encrypted_room() {
    let messenger = messenger().build();
    let (anna, general) = in_general_room(&messenger, "anna").await;
    encrypt(&messenger, &general, "anna").await;
    // A process that has received the event, and one that has not.
    for process in [messenger.clone(), messenger.another_process()] {
        let sent = process.send(fixtures::draft("Alarm"), WAIT).await.notification;
        assert_eq!((sent.status, sent.reason.as_deref()), (Status::Failed, Some(reason::ROOM_ENCRYPTED)));
    }
    run_until_idle(&messenger).await;
    assert_eq!(notices(&messenger, &general).len(), 1);
    assert!(messenger.homeserver.bodies(&general).iter().all(|body| !body.contains("Alarm")));
    // The notification is published all the same.
    let events = messenger.memory.events();
    assert!(events.iter().any(|event| event.payload.as_str().contains("Alarm")));
    assert!(messenger.rooms().list(&anna).await.expect("rooms")[0].encrypted);
}

#[tokio::test]
async fn an_encrypted_chat_with_a_user_without_a_matrix_client_leads_to_a_plain_one() {
    let messenger = messenger().build();
    let anna = with_external_access(&messenger, "anna").await;
    let bert = ready_caller(&messenger, "bert").await;
    let room = encrypted_room(&messenger, &["bert"], true);
    for n in 0..3 {
        let event = messenger.homeserver.send_event(
            &room,
            &matrix("anna"),
            "m.room.topic",
            json!({ "topic": n.to_string() }),
        );
        messenger
            .another_process()
            .ingest()
            .receive(vec![messenger.homeserver.room_event(&room, &event)])
            .await
            .expect("received");
    }
    let plain = messenger.rooms().list(&bert).await.expect("rooms");
    let plain = plain.iter().find(|seen| seen.display_name == "anna").expect("the plain chat");
    let notice = notices(&messenger, &room);
    assert_eq!(notice.len(), 1, "{notice:?}");
    assert!(notice[0].contains(&format!("https://matrix.to/#/{}", plain.matrix_room_id)), "{notice:?}");
    let notice = notices(&messenger, &plain.matrix_room_id);
    assert!(
        notice.len() == 1 && notice[0].contains("anna hat einen verschlüsselten Chat begonnen"),
        "{notice:?}"
    );
    assert!(
        messenger.rooms().list(&anna).await.expect("rooms").iter().any(|seen| seen.display_name == "bert")
    );
    assert!(!messenger.homeserver.has_bot(&room), "the bot leaves the encrypted room");
    messenger
        .service
        .messages()
        .send(&bert, &plain.matrix_room_id, OutgoingMessage::text("Hallo", "m.text"), None)
        .await
        .expect("sent");
}

#[tokio::test]
async fn a_notice_in_an_encrypted_room_names_the_members_without_a_matrix_client() {
    let messenger = messenger().build();
    with_external_access(&messenger, "anna").await;
    with_external_access(&messenger, "carl").await;
    ready_caller(&messenger, "bert").await;
    let several = encrypted_room(&messenger, &["bert", "carl"], false);
    let all = encrypted_room(&messenger, &["carl"], true);
    let alone = encrypted_room(&messenger, &[], false);
    for room in [&several, &all, &alone] {
        let event =
            messenger.homeserver.send_event(room, &matrix("anna"), "m.room.topic", json!({ "topic": "x" }));
        messenger
            .ingest()
            .receive(vec![messenger.homeserver.room_event(room, &event)])
            .await
            .expect("received");
        assert_eq!(
            messenger.ports.rooms.tenant_of(room).await.expect("looked up"),
            None,
            "the room is not adopted"
        );
    }
    let notice = notices(&messenger, &several);
    assert!(notice.len() == 1 && notice[0].contains("lesen bert."), "{notice:?}");
    assert!(notices(&messenger, &all).is_empty() && notices(&messenger, &alone).is_empty());
    // A user who is invited later is noticed.
    let invited = messenger.homeserver.invite(&alone, &matrix("anna"), &matrix("bert"));
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&alone, &invited)])
        .await
        .expect("received");
    assert_eq!(notices(&messenger, &alone).len(), 1);
}
