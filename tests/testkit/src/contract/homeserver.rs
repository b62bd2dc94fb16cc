//! The Matrix homeserver, as far as the port shows it.

use messenger_core::{
    Result,
    id::{MatrixUserId, RoomId},
    room::NewRoom,
};
use serde_json::{Value, json};

use super::Home;

fn account(home: &dyn Home, name: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{name}.{}:{}", home.unique(), home.server_name()))
}

fn new_room(home: &dyn Home, name: &str) -> NewRoom {
    NewRoom {
        alias: format!("hub_{name}_{}", home.unique()),
        name: "Größe & <Maß>".to_owned(),
        topic: None,
        is_direct: false,
        members_invite: false,
        invite: Vec::new(),
    }
}

async fn room(home: &dyn Home) -> Result<RoomId> {
    home.homeserver().create_room(&new_room(home, "room")).await
}

fn message(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

/// It answers.
pub async fn it_answers(home: &dyn Home) -> Result<()> {
    home.homeserver().ping().await
}

/// Claiming an account again finds it: it is ours.
pub async fn an_account_can_be_claimed_again(home: &dyn Home) -> Result<()> {
    let anna = account(home, "anna");
    let claims = (0..5).map(|_| home.homeserver().claim_account(&anna));
    assert!(futures::future::try_join_all(claims).await?.into_iter().all(|is_ours| is_ours));
    home.homeserver().ensure_user(&anna, "Anna").await?;
    assert!(home.homeserver().claim_account(&anna).await?);
    Ok(())
}

/// Ensuring an account again is no change, nor is another name an error.
pub async fn an_account_can_be_ensured_again(home: &dyn Home) -> Result<()> {
    let anna = account(home, "_anna=c3=a4");
    for name in ["Anna", "Anna", "Änna \"Neu\" 🏭"] {
        home.homeserver().ensure_user(&anna, name).await?;
    }
    Ok(())
}

/// One account ensured many times at once is one account.
pub async fn an_account_can_be_ensured_in_parallel(home: &dyn Home) -> Result<()> {
    let anna = account(home, "anna");
    let calls = (0..5).map(|_| home.homeserver().ensure_user(&anna, "Anna"));
    futures::future::try_join_all(calls).await.map(|_| ())
}

/// The alias names one room: a second attempt finds the first one's.
pub async fn an_alias_names_one_room(home: &dyn Home) -> Result<()> {
    let first = room(home).await?;
    assert_eq!(room(home).await?, first);
    let other = home.homeserver().create_room(&new_room(home, "other")).await?;
    assert_ne!(other, first);
    Ok(())
}

/// Attempts at once end in one room, for all that succeed.
pub async fn attempts_at_once_end_in_one_room(home: &dyn Home) -> Result<()> {
    let attempts = (0..4).map(|_| room(home));
    let rooms = futures::future::try_join_all(attempts).await?;
    assert!(rooms.iter().all(|one| *one == rooms[0]), "{rooms:?}");
    Ok(())
}

/// A room for a direct chat is created with its partner invited.
pub async fn a_direct_room_invites_its_partner(home: &dyn Home) -> Result<()> {
    let anna = account(home, "anna");
    home.homeserver().ensure_user(&anna, "Anna").await?;
    let direct = NewRoom { is_direct: true, invite: vec![anna.clone()], ..new_room(home, "dm") };
    let room = home.homeserver().create_room(&direct).await?;
    assert_eq!(home.homeserver().create_room(&direct).await?, room);
    home.homeserver().join(&room, &anna).await
}

/// Joining again is no change.
pub async fn a_user_can_be_joined_again(home: &dyn Home) -> Result<()> {
    let anna = account(home, "anna");
    home.homeserver().ensure_user(&anna, "Anna").await?;
    let room = room(home).await?;
    home.homeserver().join(&room, &anna).await?;
    home.homeserver().join(&room, &anna).await
}

/// The same transaction sends once; another sends again, also the same text.
pub async fn a_transaction_sends_once(home: &dyn Home) -> Result<()> {
    let room = room(home).await?;
    let send = async |transaction: &str, body: &str| {
        home.homeserver().send(&room, &format!("{}.{transaction}", home.unique()), &message(body)).await
    };
    let first = send("n1", "hello").await?;
    assert_eq!(send("n1", "hello").await?, first);
    assert_ne!(send("n2", "hello").await?, first);
    Ok(())
}

/// A transaction sent twice at once is one event.
pub async fn a_transaction_sent_twice_at_once_is_one_event(home: &dyn Home) -> Result<()> {
    let room = room(home).await?;
    let transaction = format!("{}.n1", home.unique());
    let hello = message("hello");
    let calls = (0..3).map(|_| home.homeserver().send(&room, &transaction, &hello));
    let events = futures::future::try_join_all(calls).await?;
    assert!(events.iter().all(|event| *event == events[0]), "{events:?}");
    Ok(())
}

/// What can never succeed is refused for good, so that nobody tries again.
pub async fn sending_to_no_room_is_refused_for_good(home: &dyn Home) -> Result<()> {
    let nowhere = RoomId::new(format!("!nowhere{}:{}", home.unique(), home.server_name()));
    let error =
        home.homeserver().send(&nowhere, "n1", &message("x")).await.expect_err("there is no such room");
    assert!(!error.is_transient(), "{error:?}");
    Ok(())
}
