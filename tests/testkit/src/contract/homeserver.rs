//! The ports of the Matrix homeserver.

use messenger_core::{
    Result,
    error::Failure,
    id::{MatrixUserId, RoomId},
    room::NewRoom,
};
use serde_json::{Value, json};

use super::TestHomeserver;

fn account(server: &dyn TestHomeserver, name: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{name}.{}:{}", server.unique(), server.server_name()))
}

fn new_room(server: &dyn TestHomeserver, name: &str) -> NewRoom {
    NewRoom {
        alias: format!("hub_{name}_{}", server.unique()),
        name: "Größe & <Maß>".to_owned(),
        topic: None,
        is_direct: false,
        members_invite: false,
        invite: Vec::new(),
    }
}

async fn room(server: &dyn TestHomeserver) -> Result<RoomId> {
    server.homeserver().create_room(&new_room(server, "room")).await
}

fn message(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

/// The homeserver answers a ping.
pub async fn the_homeserver_answers_a_ping(server: &dyn TestHomeserver) -> Result<()> {
    server.homeserver().ping().await
}

/// A repeated or concurrent claim finds the account of the service.
pub async fn an_account_can_be_claimed_again(server: &dyn TestHomeserver) -> Result<()> {
    let anna = account(server, "anna");
    let claims = (0..5).map(|_| server.homeserver().claim_account(&anna));
    assert!(futures::future::try_join_all(claims).await?.into_iter().all(|is_ours| is_ours));
    server.homeserver().ensure_user(&anna, "Anna").await?;
    assert!(server.homeserver().claim_account(&anna).await?);
    Ok(())
}

/// Ensuring an account again succeeds, also with another name.
pub async fn an_account_can_be_ensured_again(server: &dyn TestHomeserver) -> Result<()> {
    let anna = account(server, "_anna=c3=a4");
    for name in ["Anna", "Anna", "Änna \"Neu\" 🏭"] {
        server.homeserver().ensure_user(&anna, name).await?;
    }
    Ok(())
}

/// Concurrent calls for one account all succeed.
pub async fn an_account_can_be_ensured_concurrently(server: &dyn TestHomeserver) -> Result<()> {
    let anna = account(server, "anna");
    let calls = (0..5).map(|_| server.homeserver().ensure_user(&anna, "Anna"));
    futures::future::try_join_all(calls).await.map(|_| ())
}

/// The alias names one room: a second creation returns the first room.
pub async fn an_alias_names_one_room(server: &dyn TestHomeserver) -> Result<()> {
    let first = room(server).await?;
    assert_eq!(room(server).await?, first);
    let other = server.homeserver().create_room(&new_room(server, "other")).await?;
    assert_ne!(other, first);
    Ok(())
}

/// Concurrent creations with one alias return the same room.
pub async fn concurrent_creations_end_in_one_room(server: &dyn TestHomeserver) -> Result<()> {
    let attempts = (0..4).map(|_| room(server));
    let rooms = futures::future::try_join_all(attempts).await?;
    assert!(rooms.iter().all(|one| *one == rooms[0]), "{rooms:?}");
    Ok(())
}

/// The partner of a direct chat can join the room that was created for it.
pub async fn a_direct_room_invites_its_partner(server: &dyn TestHomeserver) -> Result<()> {
    let anna = account(server, "anna");
    server.homeserver().ensure_user(&anna, "Anna").await?;
    let direct = NewRoom { is_direct: true, invite: vec![anna.clone()], ..new_room(server, "dm") };
    let room = server.homeserver().create_room(&direct).await?;
    assert_eq!(server.homeserver().create_room(&direct).await?, room);
    server.homeserver().join(&room, &anna).await
}

/// Joining again succeeds.
pub async fn a_user_can_be_joined_again(server: &dyn TestHomeserver) -> Result<()> {
    let anna = account(server, "anna");
    server.homeserver().ensure_user(&anna, "Anna").await?;
    let room = room(server).await?;
    server.homeserver().join(&room, &anna).await?;
    server.homeserver().join(&room, &anna).await
}

/// A room that is closed is without members and without the bot, and its alias names the next room. Repeating
/// it changes nothing.
pub async fn a_closed_room_is_empty_and_its_alias_is_free(server: &dyn TestHomeserver) -> Result<()> {
    let homeserver = server.homeserver();
    let (anna, bert) = (account(server, "anna"), account(server, "bert"));
    homeserver.ensure_user(&anna, "Anna").await?;
    homeserver.ensure_user(&bert, "Bert").await?;
    let new = NewRoom { invite: vec![bert.clone()], ..new_room(server, "closed") };
    let closed = homeserver.create_room(&new).await?;
    homeserver.join(&closed, &anna).await?;
    homeserver.release_alias(&closed, &new.alias).await?;
    let next = homeserver.create_room(&new).await?;
    assert_ne!(next, closed);
    // The alias is that of the next room by now.
    homeserver.release_alias(&closed, &new.alias).await?;
    assert_eq!(homeserver.create_room(&new).await?, next);
    for _ in 0..2 {
        homeserver.empty(&closed).await?;
        assert!(!homeserver.rooms_of(&anna).await?.contains(&closed));
        assert!(!homeserver.accept(&closed, &bert).await.unwrap_or(false), "the invitation is withdrawn");
        let transaction = format!("{}.n1", server.unique());
        let refused = homeserver.send(&closed, &transaction, &message("hello")).await;
        assert_eq!(refused.map_err(|error| error.failure()), Err(Some(Failure::Rejected)), "the bot is out");
    }
    Ok(())
}

/// A repeated transaction id sends once; another id sends again, also the same text.
pub async fn a_transaction_sends_once(server: &dyn TestHomeserver) -> Result<()> {
    let room = room(server).await?;
    let send = async |transaction: &str, body: &str| {
        server.homeserver().send(&room, &format!("{}.{transaction}", server.unique()), &message(body)).await
    };
    let first = send("n1", "hello").await?;
    assert_eq!(send("n1", "hello").await?, first);
    assert_ne!(send("n2", "hello").await?, first);
    Ok(())
}

/// Concurrent calls with one transaction id send one event.
pub async fn a_transaction_sent_concurrently_is_one_event(server: &dyn TestHomeserver) -> Result<()> {
    let room = room(server).await?;
    let transaction = format!("{}.n1", server.unique());
    let hello = message("hello");
    let calls = (0..3).map(|_| server.homeserver().send(&room, &transaction, &hello));
    let events = futures::future::try_join_all(calls).await?;
    assert!(events.iter().all(|event| *event == events[0]), "{events:?}");
    Ok(())
}

/// Sending to an unknown room fails with an error that is not retried.
pub async fn sending_to_an_unknown_room_is_rejected(server: &dyn TestHomeserver) -> Result<()> {
    let nowhere = RoomId::new(format!("!nowhere{}:{}", server.unique(), server.server_name()));
    let error =
        server.homeserver().send(&nowhere, "n1", &message("x")).await.expect_err("there is no such room");
    assert!(!error.is_transient(), "{error:?}");
    Ok(())
}
