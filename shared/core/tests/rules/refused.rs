//! What the homeserver refuses to somebody is told them as what it is, with what they can do about it.

use bytes::Bytes;
use futures::stream;
use messenger_core::{
    Error, Result,
    id::{MatrixUserId, RoomId},
    media::Upload,
    message::Said,
    room::Founding,
    user::Caller,
};
use messenger_testkit::{TestHub, given, hub};

use crate::{in_general_room, ready_caller, settle};

fn matrix(user: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{user}:hub.local"))
}

fn file() -> Upload {
    let bytes = Box::pin(stream::iter([Ok(Bytes::from_static(b"abc"))]));
    Upload { filename: "a.txt".to_owned(), mimetype: "text/plain".to_owned(), size: 3, bytes }
}

async fn send(hub: &TestHub, caller: &Caller, room: &RoomId) -> Result<()> {
    hub.hub.send(caller, room, Said::text("Hallo", "m.text"), None).await.map(drop)
}

async fn upload(hub: &TestHub, caller: &Caller, room: &RoomId) -> Result<()> {
    hub.upload(caller, room, file(), None, None).await.map(drop)
}

/// Anna and Bert in a room that Anna made with another client.
async fn in_adopted_room() -> (TestHub, Caller, Caller, RoomId) {
    let hub = hub().build();
    let (anna, bert) = (ready_caller(&hub, "anna").await, ready_caller(&hub, "bert").await);
    let room = hub.homeserver.makes_room(&matrix("anna"), &[&matrix("bert")], false);
    let said = hub.homeserver.says(&room, &matrix("anna"), "eins");
    hub.receive(vec![hub.homeserver.told(&room, &said)]).await.expect("heard");
    (hub, anna, bert, room)
}

fn refused(result: Result<()>) -> (&'static str, String) {
    let error = result.expect_err("it is refused");
    assert!(error.failure().is_none(), "a refusal is no failure: {error}");
    (error.code(), error.to_string())
}

#[tokio::test]
async fn a_muted_member_reads_and_writes_nothing_and_no_file_is_stored() {
    let (hub, anna, bert, room) = in_adopted_room().await;
    hub.homeserver.mutes(&room, &matrix("bert"));
    for result in [send(&hub, &bert, &room).await, upload(&hub, &bert, &room).await] {
        let (code, detail) = refused(result);
        assert_eq!(code, "not_allowed_in_room");
        assert!(detail.contains("ask somebody who administers the room"), "{detail}");
    }
    assert_eq!(hub.homeserver.files(), 0);
    assert_eq!(hub.history(&bert, &room, None, 10).await.expect("a page").messages.len(), 1);
    upload(&hub, &anna, &room).await.expect("others may");
}

#[tokio::test]
async fn who_is_banned_or_put_out_is_told_so_before_we_hear_of_it() {
    for is_banned in [true, false] {
        let (hub, _, bert, room) = in_adopted_room().await;
        if is_banned {
            hub.homeserver.bans(&room, &matrix("anna"), &matrix("bert"));
        } else {
            hub.homeserver.puts_out(&room, &matrix("anna"), &matrix("bert"));
        }
        let typing = hub.type_in(&bert, &room, None).await;
        for result in [send(&hub, &bert, &room).await, upload(&hub, &bert, &room).await, typing] {
            let expected = if is_banned { "user_banned" } else { "not_allowed_in_room" };
            assert_eq!(refused(result).0, expected);
        }
        assert_eq!(hub.homeserver.files(), 0);
    }
}

#[tokio::test]
async fn somebody_who_is_banned_cannot_be_brought_in_and_is_named() {
    let (hub, anna, _, room) = in_adopted_room().await;
    ready_caller(&hub, "carl").await;
    hub.homeserver.bans(&room, &matrix("anna"), &matrix("carl"));
    let (code, detail) = refused(hub.invite(&anna, &room, "carl").await.map(drop));
    assert_eq!(code, "user_banned");
    assert!(detail.contains("`carl`"), "{detail}");
    assert_eq!(hub.members(&anna, &room).await.expect("members").len(), 2);
    // Nor do they come back into a room that is open to them.
    let (dora, general) = in_general_room(&hub, "dora").await;
    let banned = hub.homeserver.bans(&general, &matrix("anna"), &matrix("dora"));
    hub.receive(vec![hub.homeserver.told(&general, &banned)]).await.expect("heard");
    let (code, detail) = refused(hub.join_room(&dora, &general).await.map(drop));
    assert_eq!(code, "user_banned");
    assert!(detail.starts_with("you are banned"), "{detail}");
}

#[tokio::test]
async fn who_is_banned_from_the_room_of_everybody_can_use_the_others() {
    let (hub, _, _, _) = in_adopted_room().await;
    let (_, general) = in_general_room(&hub, "anna").await;
    hub.homeserver.bans(&general, &matrix("anna"), &matrix("emil"));
    let emil = ready_caller(&hub, "emil").await;
    assert!(hub.users.find(given::TENANT, emil.user.id()).await.expect("found").expect("a user").provisioned);
    hub.open_dm(&emil, &given::user("anna")).await.expect("a chat");
}

#[tokio::test]
async fn a_deactivated_account_is_told_as_such_whatever_it_is_needed_for() {
    let (hub, anna, bert, room) = in_adopted_room().await;
    let rooms = hub.homeserver.rooms().len();
    hub.homeserver.deactivates(&matrix("bert"));
    let mut results = vec![send(&hub, &bert, &room).await, upload(&hub, &bert, &room).await];
    results.push(hub.open_dm(&bert, &given::user("anna")).await.map(drop));
    for result in results {
        assert_eq!(refused(result).0, "account_deactivated");
    }
    let (code, detail) = refused(hub.open_dm(&anna, &given::user("bert")).await.map(drop));
    assert_eq!(code, "account_deactivated");
    assert!(detail.contains("`bert`"), "{detail}");
    let founding = Founding { name: "Umbau".to_owned(), topic: None, invite: vec!["bert".to_owned()] };
    assert_eq!(refused(hub.found_room(&anna, founding).await.map(drop)).0, "account_deactivated");
    // Nothing is left of the rooms that could not be made.
    settle(&hub).await;
    for half_made in &hub.homeserver.rooms()[..] {
        let asked = hub.homeserver.asked(half_made);
        if asked.name == "Umbau" || asked.is_direct {
            assert_eq!(hub.homeserver.members(half_made), [], "{asked:?}");
            assert_eq!(hub.homeserver.room_by_alias(&asked.alias), None);
        }
    }
    assert!(hub.homeserver.rooms().len() > rooms, "there was something to take back");
    assert_eq!(hub.rooms_of(&anna).await.expect("rooms").len(), 2);
    // The same again once the account is there.
    let carl = ready_caller(&hub, "carl").await;
    hub.open_dm(&carl, anna.user.id()).await.expect("a chat");
}

#[tokio::test]
async fn an_account_that_was_never_made_and_is_refused_is_told_as_such() {
    let hub = hub().build();
    let anna = hub.caller("anna", given::TENANT).await;
    hub.homeserver.deactivates(&matrix("anna"));
    hub.work().await;
    let error = hub.found_room(&anna, Founding { name: "x".to_owned(), topic: None, invite: vec![] }).await;
    assert_eq!(refused(error.map(drop)).0, "account_deactivated");
}

#[tokio::test]
async fn a_homeserver_that_fails_is_still_a_failure() {
    let (hub, anna, _, room) = in_adopted_room().await;
    hub.homeserver.switch_off();
    for result in [send(&hub, &anna, &room).await, upload(&hub, &anna, &room).await] {
        assert!(matches!(result, Err(Error::Fault(_))));
    }
}

#[tokio::test]
async fn a_room_that_nobody_may_leave_is_given_up_after_one_attempt() {
    let (hub, anna, _, room) = in_adopted_room().await;
    hub.hub.leave(&anna, &room).await.expect("here she is out");
    hub.homeserver.fail_room(&room, messenger_core::error::Failure::Rejected);
    hub.homeserver.fail_call(1, messenger_core::error::Failure::Rejected);
    hub.work().await;
    let calls = hub.homeserver.calls();
    settle(&hub).await;
    assert_eq!(hub.homeserver.calls(), calls, "it is not tried for ever");
}
