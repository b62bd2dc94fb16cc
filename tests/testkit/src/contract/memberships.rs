//! Memberships of rooms, and their events on the members' streams.

use messenger_core::{
    Ports, Result,
    event::{
        Audience, Event, Kind,
        payload::{self, EventPayload, RoleChanged, Unread},
    },
    id::Position,
    user::{Identity, Role},
};

use super::{
    Store, concurrently,
    messages::{message, with_members},
};
use crate::fixtures::{OTHER_TENANT, TENANT, all_of, event, identity, room, user};

async fn with_anna(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    ports.users.sign_in(&identity("anna"), "anna").await?;
    Ok(ports)
}

async fn user_events(ports: &Ports) -> Result<Vec<Event>> {
    ports.feed.after(Position(0), &all_of(&[Audience::User(TENANT, user("anna"))]), 100).await
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
    let moved = Identity { tenant: OTHER_TENANT, ..identity("anna") };
    ports.users.sign_in(&moved, "anna").await?;
    assert_eq!(ports.memberships.of(OTHER_TENANT, &user("anna")).await?, []);
    assert_eq!(ports.memberships.of(TENANT, &user("anna")).await?, []);
    Ok(())
}

/// An event that the store appends itself has the payload that its typed form serialises to.
pub async fn each_event_of_a_user_has_the_payload_of_its_typed_form(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let (bert, room_id) = (user("bert"), room("!1"));
    let view = async || -> Result<_> {
        Ok(ports.room_views.room(TENANT, &bert, &room_id).await?.expect("he is a member"))
    };
    let joined = view().await?;
    ports.messages.ingest(&["$1", "$2"].map(message)).await?;
    ports.room_views.read(TENANT, &bert, &room_id).await?;
    ports.messages.ingest(&[message("$3")]).await?;
    let left = view().await?;
    assert!(left.last_message_ts.is_some() && left.unread_count == 1, "{left:?}");
    ports.memberships.remove(TENANT, &room_id, &bert).await?;
    let viewer = Identity { role: Role::Viewer, ..identity("bert") };
    ports.users.sign_in(&viewer, "bert").await?;
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..viewer }, "bert").await?;
    let seen = |room| Some(payload::Room::from(room));
    let expected = [
        EventPayload::RoomJoined(payload::Membership { room_id: &room_id, room: seen(&joined) }),
        EventPayload::Unread(Unread { room_id: &room_id, unread_count: 0, mention_count: 0 }),
        EventPayload::RoomLeft(payload::RoomLeft { room_id: &room_id, room: seen(&left), reason: None }),
        EventPayload::RoleChanged(RoleChanged { role: Role::Viewer }),
        EventPayload::AccessWithdrawn {},
    ];
    let events = ports.feed.after(Position(0), &all_of(&[Audience::User(TENANT, bert.clone())]), 100).await?;
    assert_eq!(events.len(), expected.len(), "{events:?}");
    for (event, expected) in events.iter().zip(&expected) {
        assert_eq!((event.kind, &event.payload), (expected.kind(), &expected.serialise()?));
    }
    Ok(())
}
