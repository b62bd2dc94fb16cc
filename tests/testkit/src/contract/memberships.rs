//! Who is in which room, and that streams are told in order.

use messenger_core::{
    Ports, Result,
    event::{Audience, Event, Kind},
    id::Position,
};

use super::{Store, together};
use crate::fixtures::{OTHER_TENANT, TENANT, event, identity, room, user};

async fn with_anna(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    Ok(ports)
}

async fn told(ports: &Ports) -> Result<Vec<Event>> {
    ports.feed.after(Position(0), &[Audience::User(TENANT, user("anna"))], 100).await
}

/// Who was added is in, who was removed is out.
pub async fn a_user_is_in_a_room_until_removed(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    let members = &ports.memberships;
    assert_eq!(members.of(TENANT, &user("anna")).await?, []);
    members.add(TENANT, &room("!1"), &user("anna")).await?;
    members.add(TENANT, &room("!2"), &user("anna")).await?;
    let mut rooms = members.of(TENANT, &user("anna")).await?;
    rooms.sort();
    assert_eq!(rooms, [room("!1"), room("!2")]);
    members.remove(TENANT, &room("!1"), &user("anna")).await?;
    assert_eq!(members.of(TENANT, &user("anna")).await?, [room("!2")]);
    Ok(())
}

/// Each change is told to the user, once, with the room.
pub async fn each_change_is_told_once(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    let members = &ports.memberships;
    members.remove(TENANT, &room("!1"), &user("anna")).await?;
    members.add(TENANT, &room("!1"), &user("anna")).await?;
    members.add(TENANT, &room("!1"), &user("anna")).await?;
    members.remove(TENANT, &room("!1"), &user("anna")).await?;
    members.remove(TENANT, &room("!1"), &user("anna")).await?;
    members.add(TENANT, &room("!1"), &user("anna")).await?;
    let told = told(&ports).await?;
    let kinds: Vec<_> = told.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::RoomJoined, Kind::RoomLeft, Kind::RoomJoined]);
    for event in told {
        let fields: serde_json::Value = serde_json::from_str(event.payload.as_str()).unwrap();
        assert_eq!(fields["room_id"], "!1");
    }
    Ok(())
}

/// However often somebody is added at once, it is one change.
pub async fn many_additions_at_once_are_one_change(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    together(30, |_| {
        let members = ports.memberships.clone();
        async move { members.add(TENANT, &room("!1"), &user("anna")).await }
    })
    .await?;
    assert_eq!(told(&ports).await?.len(), 1);
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, [room("!1")]);
    Ok(())
}

/// The change stands in the log before whatever happens in the room afterwards.
pub async fn a_change_is_ordered_with_the_messages_of_the_room(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    let message = || event(Audience::Room(TENANT, room("!1")), "hello");
    ports.feed.append(&[message()]).await?;
    ports.memberships.add(TENANT, &room("!1"), &user("anna")).await?;
    ports.feed.append(&[message()]).await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("anna")).await?;
    ports.feed.append(&[message()]).await?;
    let kinds: Vec<_> = ports.feed.next(Position(0), 10).await?.iter().map(|event| event.kind).collect();
    let message = Kind::NewMessage;
    assert_eq!(kinds, [message, Kind::RoomJoined, message, Kind::RoomLeft, message]);
    Ok(())
}

/// Users and tenants do not share memberships.
pub async fn memberships_are_of_one_user_and_tenant(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.users.sign_in(&identity("bert"), "bert").await?;
    ports.memberships.add(TENANT, &room("!1"), &user("anna")).await?;
    ports.memberships.remove(OTHER_TENANT, &room("!1"), &user("anna")).await?;
    ports.memberships.remove(TENANT, &room("!1"), &user("bert")).await?;
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, [room("!1")]);
    assert_eq!(ports.memberships.of(TENANT, &user("bert")).await?, []);
    assert_eq!(ports.memberships.of(OTHER_TENANT, &user("anna")).await?, []);
    assert_eq!(ports.feed.next(Position(0), 10).await?.len(), 1);
    Ok(())
}

/// Who moved to another tenant is in no room of the old one.
pub async fn a_moved_user_leaves_the_rooms_of_the_old_tenant(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.memberships.add(TENANT, &room("!1"), &user("anna")).await?;
    let moved = messenger_core::user::Identity { tenant: OTHER_TENANT, ..identity("anna") };
    ports.users.sign_in(&moved, "anna").await?;
    assert_eq!(ports.memberships.of(OTHER_TENANT, &user("anna")).await?, []);
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, []);
    Ok(())
}
