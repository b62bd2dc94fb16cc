//! Memberships of rooms, and their events on the members' streams.

use messenger_core::{
    Ports, Result,
    event::{Audience, Event, Kind},
    id::Position,
};

use super::{Store, concurrently};
use crate::fixtures::{OTHER_TENANT, TENANT, event, identity, room, user};

async fn with_anna(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    Ok(ports)
}

async fn user_events(ports: &Ports) -> Result<Vec<Event>> {
    ports.feed.after(Position(0), &[Audience::User(TENANT, user("anna"))], 100).await
}

/// A user is a member from the addition until the removal.
pub async fn a_user_is_a_member_until_removed(store: &dyn Store) -> Result<()> {
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

/// Each change is published to the user once, with the room id.
pub async fn each_membership_change_is_published_once(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    let members = &ports.memberships;
    members.remove(TENANT, &room("!1"), &user("anna")).await?;
    members.add(TENANT, &room("!1"), &user("anna")).await?;
    members.add(TENANT, &room("!1"), &user("anna")).await?;
    members.remove(TENANT, &room("!1"), &user("anna")).await?;
    members.remove(TENANT, &room("!1"), &user("anna")).await?;
    members.add(TENANT, &room("!1"), &user("anna")).await?;
    let events = user_events(&ports).await?;
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::RoomJoined, Kind::RoomLeft, Kind::RoomJoined]);
    for event in events {
        let fields: serde_json::Value = serde_json::from_str(event.payload.as_str()).unwrap();
        assert_eq!(fields["room_id"], "!1");
    }
    Ok(())
}

/// Concurrent additions of one member are one change.
pub async fn concurrent_additions_are_one_change(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    concurrently(30, |_| {
        let members = ports.memberships.clone();
        async move { members.add(TENANT, &room("!1"), &user("anna")).await }
    })
    .await?;
    assert_eq!(user_events(&ports).await?.len(), 1);
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, [room("!1")]);
    Ok(())
}

/// The change is in the log before later events of the room.
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
pub async fn a_membership_belongs_to_one_user_and_tenant(store: &dyn Store) -> Result<()> {
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

/// A user who moved to another tenant is in no room of the old one.
pub async fn a_moved_user_leaves_the_rooms_of_the_old_tenant(store: &dyn Store) -> Result<()> {
    let ports = with_anna(store).await?;
    ports.memberships.add(TENANT, &room("!1"), &user("anna")).await?;
    let moved = messenger_core::user::Identity { tenant: OTHER_TENANT, ..identity("anna") };
    ports.users.sign_in(&moved, "anna").await?;
    assert_eq!(ports.memberships.of(OTHER_TENANT, &user("anna")).await?, []);
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, []);
    Ok(())
}
