//! Rejections of the homeserver are returned with their reason and the user's options.

use bytes::Bytes;
use futures::stream;
use messenger_core::{
    Error, Result,
    id::{MatrixUserId, RoomId},
    media::Upload,
    message::OutgoingMessage,
    room::RoomCreation,
    user::Caller,
};
use messenger_testkit::{TestMessenger, fixtures, messenger};

use crate::{in_general_room, ready_caller, run_until_idle};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

fn file() -> Upload {
    let bytes = Box::pin(stream::iter([Ok(Bytes::from_static(b"abc"))]));
    Upload { filename: "a.txt".to_owned(), mimetype: "text/plain".to_owned(), size: 3, bytes }
}

async fn send(messenger: &TestMessenger, caller: &Caller, room: &RoomId) -> Result<()> {
    messenger
        .service
        .messages()
        .send(caller, room, OutgoingMessage::text("Hallo", "m.text"), None)
        .await
        .map(drop)
}

async fn upload(messenger: &TestMessenger, caller: &Caller, room: &RoomId) -> Result<()> {
    messenger.media().upload(caller, room, file(), None, None).await.map(drop)
}

/// Returns Anna and Bert in a room that Anna created with another client.
async fn in_adopted_room() -> (TestMessenger, Caller, Caller, RoomId) {
    let messenger = messenger().build();
    let (anna, bert) = (ready_caller(&messenger, "anna").await, ready_caller(&messenger, "bert").await);
    let room = messenger.homeserver.create_room_as(&matrix("anna"), &[&matrix("bert")], false);
    let sent = messenger.homeserver.send_text(&room, &matrix("anna"), "eins");
    messenger.ingest().receive(vec![messenger.homeserver.room_event(&room, &sent)]).await.expect("received");
    (messenger, anna, bert, room)
}

fn refused(result: Result<()>) -> (&'static str, String) {
    let error = result.expect_err("a refusal");
    assert!(error.failure().is_none(), "a refusal is no failure: {error}");
    (error.code(), error.to_string())
}

#[tokio::test]
async fn a_muted_member_can_read_but_not_send_and_no_file_is_stored() {
    let (messenger, anna, bert, room) = in_adopted_room().await;
    messenger.homeserver.mute(&room, &matrix("bert"));
    for result in [send(&messenger, &bert, &room).await, upload(&messenger, &bert, &room).await] {
        let (code, detail) = refused(result);
        assert_eq!(code, "not_allowed_in_room");
        assert!(detail.contains("ask somebody who administers the room"), "{detail}");
    }
    assert_eq!(messenger.homeserver.files(), 0);
    assert_eq!(messenger.history().page(&bert, &room, None, 10).await.expect("a page").messages.len(), 1);
    upload(&messenger, &anna, &room).await.expect("others may");
}

#[tokio::test]
async fn a_banned_or_kicked_user_gets_the_reason_before_the_event_arrives() {
    for is_banned in [true, false] {
        let (messenger, _, bert, room) = in_adopted_room().await;
        if is_banned {
            messenger.homeserver.ban(&room, &matrix("anna"), &matrix("bert"));
        } else {
            messenger.homeserver.end_membership(&room, &matrix("anna"), &matrix("bert"));
        }
        let typing = messenger.messages().set_typing(&bert, &room, None).await;
        for result in [send(&messenger, &bert, &room).await, upload(&messenger, &bert, &room).await, typing] {
            let expected = if is_banned { "user_banned" } else { "not_allowed_in_room" };
            assert_eq!(refused(result).0, expected);
        }
        assert_eq!(messenger.homeserver.files(), 0);
    }
}

#[tokio::test]
async fn a_banned_user_cannot_be_invited_and_is_named() {
    let (messenger, anna, _, room) = in_adopted_room().await;
    ready_caller(&messenger, "carl").await;
    messenger.homeserver.ban(&room, &matrix("anna"), &matrix("carl"));
    let (code, detail) = refused(messenger.rooms().invite(&anna, &room, "carl").await.map(drop));
    assert_eq!(code, "user_banned");
    assert!(detail.contains("`carl`"), "{detail}");
    assert_eq!(messenger.rooms().members(&anna, &room).await.expect("members").len(), 2);
    // A banned user cannot join an open room either.
    let (dora, general) = in_general_room(&messenger, "dora").await;
    let banned = messenger.homeserver.ban(&general, &matrix("anna"), &matrix("dora"));
    messenger
        .ingest()
        .receive(vec![messenger.homeserver.room_event(&general, &banned)])
        .await
        .expect("received");
    let (code, detail) = refused(messenger.rooms().join(&dora, &general).await.map(drop));
    assert_eq!(code, "user_banned");
    assert!(detail.starts_with("you are banned"), "{detail}");
}

#[tokio::test]
async fn a_user_banned_from_the_general_room_can_use_other_rooms() {
    let (messenger, _, _, _) = in_adopted_room().await;
    let (_, general) = in_general_room(&messenger, "anna").await;
    messenger.homeserver.ban(&general, &matrix("anna"), &matrix("emil"));
    let emil = ready_caller(&messenger, "emil").await;
    assert!(
        messenger
            .ports
            .users
            .find(fixtures::TENANT, emil.user.id())
            .await
            .expect("found")
            .expect("a user")
            .provisioned
    );
    messenger.rooms().open_direct_chat(&emil, &fixtures::user("anna")).await.expect("a chat");
}

#[tokio::test]
async fn a_deactivated_account_is_named_as_the_reason_in_every_call() {
    let (messenger, anna, bert, room) = in_adopted_room().await;
    let rooms = messenger.homeserver.rooms().len();
    messenger.homeserver.deactivate(&matrix("bert"));
    let mut results = vec![send(&messenger, &bert, &room).await, upload(&messenger, &bert, &room).await];
    results.push(messenger.rooms().open_direct_chat(&bert, &fixtures::user("anna")).await.map(drop));
    for result in results {
        assert_eq!(refused(result).0, "account_deactivated");
    }
    let (code, detail) =
        refused(messenger.rooms().open_direct_chat(&anna, &fixtures::user("bert")).await.map(drop));
    assert_eq!(code, "account_deactivated");
    assert!(detail.contains("`bert`"), "{detail}");
    let creation = RoomCreation { name: "Umbau".to_owned(), topic: None, invite: vec!["bert".to_owned()] };
    assert_eq!(refused(messenger.rooms().create(&anna, creation).await.map(drop)).0, "account_deactivated");
    // The rooms that could not be completed are discarded.
    run_until_idle(&messenger).await;
    for incomplete in &messenger.homeserver.rooms()[..] {
        let asked = messenger.homeserver.creation_request(incomplete);
        if asked.name == "Umbau" || asked.is_direct {
            assert_eq!(messenger.homeserver.members(incomplete), [], "{asked:?}");
            assert_eq!(messenger.homeserver.room_by_alias(&asked.alias), None);
        }
    }
    assert!(messenger.homeserver.rooms().len() > rooms, "there was a room to discard");
    assert_eq!(messenger.rooms().list(&anna).await.expect("rooms").len(), 2);
    // A chat with an active account succeeds.
    let carl = ready_caller(&messenger, "carl").await;
    messenger.rooms().open_direct_chat(&carl, anna.user.id()).await.expect("a chat");
}

#[tokio::test]
async fn an_account_that_is_rejected_during_provisioning_is_named_as_the_reason() {
    let messenger = messenger().build();
    let anna = messenger.caller("anna", fixtures::TENANT).await;
    messenger.homeserver.deactivate(&matrix("anna"));
    messenger.work().await;
    let error = messenger
        .rooms()
        .create(&anna, RoomCreation { name: "x".to_owned(), topic: None, invite: vec![] })
        .await;
    assert_eq!(refused(error.map(drop)).0, "account_deactivated");
}

#[tokio::test]
async fn a_homeserver_that_fails_is_still_a_failure() {
    let (messenger, anna, _, room) = in_adopted_room().await;
    messenger.homeserver.switch_off();
    for result in [send(&messenger, &anna, &room).await, upload(&messenger, &anna, &room).await] {
        assert!(matches!(result, Err(Error::Fault(_))));
    }
}

#[tokio::test]
async fn a_rejected_leave_is_not_retried() {
    let (messenger, anna, _, room) = in_adopted_room().await;
    messenger.service.rooms().leave(&anna, &room).await.expect("left in the store");
    messenger.homeserver.fail_room(&room, messenger_core::error::Failure::Rejected);
    messenger.homeserver.fail_call(1, messenger_core::error::Failure::Rejected);
    messenger.work().await;
    let calls = messenger.homeserver.calls();
    run_until_idle(&messenger).await;
    assert_eq!(messenger.homeserver.calls(), calls, "the leave is not retried");
}
