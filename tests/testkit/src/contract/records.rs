//! Marks of rooms, rooms that replace others, and the events before a join that a member may see.

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind},
    id::{EventId, Position, RoomId},
    message::Mentions,
    port::{Change, IngestedEvent},
    room::{Access, Former, Marks, Profile, RoomKey, RoomKind},
    user::Role,
};

use super::{
    Store,
    messages::{file, ingested, message, mxc, with_members},
};
use crate::fixtures::{OTHER_TENANT, TENANT, all_of, identity, room, user};

async fn last_message_of(ports: &Ports, room: &RoomId, name: &str) -> Result<Option<String>> {
    let seen = ports.room_views.room(TENANT, &user(name), room).await?.expect("a member");
    assert_eq!(seen.last_message.is_some(), seen.last_message_ts.is_some());
    Ok(seen.last_message)
}

async fn may_read_file(ports: &Ports, name: &str) -> Result<bool> {
    Ok(ports.messages.posted(TENANT, &user(name), &mxc()).await?.is_some())
}

async fn changes_of(ports: &Ports, name: &str) -> Result<Vec<(Kind, bool)>> {
    let events = ports.feed.after(Position(0), &all_of(&[Audience::User(TENANT, user(name))]), 100).await?;
    let is_new = |text: &str| text.contains("!new");
    Ok(events.iter().map(|event| (event.kind, is_new(event.payload.as_str()))).collect())
}

fn with_file(id: &str) -> IngestedEvent {
    ingested(
        id,
        Change::Message {
            by: None,
            summary: "a file".to_owned(),
            file: Some(file()),
            mentions: Mentions::default(),
            text: None,
        },
    )
}

fn of_new_room(event: IngestedEvent) -> IngestedEvent {
    IngestedEvent { room: room("!new"), ..event }
}

/// A mark stays whatever is marked later, and is shown in the room list.
pub async fn marks_are_never_removed(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let (marks, id) = (&ports.room_marks, room("!1"));
    assert_eq!(marks.marks(&id).await?, Some(Marks::default()));
    assert_eq!(marks.marks(&room("!no")).await?, None);
    assert!(!ports.room_views.room(TENANT, &user("anna"), &id).await?.expect("a member").encrypted);
    marks.mark(&id, Marks::ENCRYPTED).await?;
    marks.mark(&id, Marks::HISTORY_RESTRICTED).await?;
    marks.mark(&id, Marks::default()).await?;
    let both = Marks::ENCRYPTED.and(Marks::HISTORY_RESTRICTED);
    assert_eq!(marks.marks(&id).await?, Some(both));
    assert!(ports.room_views.room(TENANT, &user("anna"), &id).await?.expect("a member").encrypted);
    let access = Access { role: Role::User, marks: both, predecessor: None };
    assert_eq!(ports.room_views.member_access(TENANT, &user("anna"), &id).await?, Some(access));
    assert_eq!(ports.room_views.member_access(TENANT, &user("carl"), &id).await?, None);
    assert_eq!(ports.room_views.member_access(OTHER_TENANT, &user("anna"), &id).await?, None);
    // A room can be registered with marks.
    let key = RoomKey { tenant: TENANT, kind: RoomKind::Custom { id: "!adopted".to_owned() } };
    let profile = Profile { marks: Marks::HISTORY_RESTRICTED, ..Profile::default() };
    ports.rooms.register(&key, &room("!adopted"), &profile).await?;
    assert_eq!(ports.rooms.find(&key).await?, Some((room("!adopted"), Marks::HISTORY_RESTRICTED)));
    Ok(())
}

/// A member sees neither the last message nor the files from before their join if the room is restricted.
pub async fn a_restricted_room_shows_only_events_after_the_join(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let id = room("!1");
    ports.messages.ingest(&[with_file("$1")]).await?;
    ports.users.sign_in(&identity("dora"), "dora").await?;
    ports.memberships.add(TENANT, &id, &user("dora")).await?;
    assert_eq!(last_message_of(&ports, &id, "dora").await?.as_deref(), Some("a file"));
    assert!(may_read_file(&ports, "dora").await?);
    ports.room_marks.mark(&id, Marks::HISTORY_RESTRICTED).await?;
    assert_eq!(last_message_of(&ports, &id, "dora").await?, None);
    assert_eq!(last_message_of(&ports, &id, "anna").await?.as_deref(), Some("a file"));
    assert!(!may_read_file(&ports, "dora").await? && may_read_file(&ports, "anna").await?);
    ports.messages.ingest(&[message("$2")]).await?;
    assert_eq!(last_message_of(&ports, &id, "dora").await?.as_deref(), Some("message $2"));
    // A redaction leaves the message before it, which was sent before the join.
    ports.messages.ingest(&[ingested("$3", Change::Redacted { of: EventId::new("$2") })]).await?;
    assert_eq!(last_message_of(&ports, &id, "dora").await?, None);
    ports.messages.ingest(&[with_file("$4")]).await?;
    assert!(may_read_file(&ports, "dora").await?, "the file was posted again");
    Ok(())
}

/// A member receives the events of a room that follow their join.
pub async fn a_member_receives_a_rooms_events_since_the_join(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&[message("$1")]).await?;
    ports.users.sign_in(&identity("dora"), "dora").await?;
    ports.memberships.add(TENANT, &room("!1"), &user("dora")).await?;
    ports.messages.ingest(&[message("$2")]).await?;
    let events = ports.feed.after(Position(0), &all_of(&[Audience::Room(TENANT, room("!1"))]), 10).await?;
    let received = async |name: &str| -> Result<Vec<String>> {
        let joined = ports.memberships.reader_rights(TENANT, &user(name)).await?.expect("a user").rooms;
        let (id, since) = joined.first().expect("a member");
        assert_eq!((joined.len(), id), (1, &room("!1")));
        let received = events.iter().filter(|event| event.position > *since);
        Ok(received.map(|event| event.payload.as_str().to_owned()).collect())
    };
    assert_eq!(received("anna").await?.len(), 2);
    let dora = received("dora").await?;
    assert!(dora.len() == 1 && dora[0].contains("$2"), "{dora:?}");
    Ok(())
}

/// The successor takes over the key, the unread messages, the files and those members who are in it. The old
/// room is only remembered as replaced.
pub async fn a_successor_takes_over_key_members_and_messages(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let (identities, old, new) = (&ports.rooms, room("!1"), room("!new"));
    let key = RoomKey { tenant: TENANT, kind: RoomKind::Service { source_app: "x".to_owned() } };
    ports.messages.ingest(&[message("$1"), with_file("$2")]).await?;
    ports.users.sign_in(&identity("dora"), "dora").await?;
    ports.memberships.add(TENANT, &old, &user("dora")).await?;
    assert!(!identities.succeed(OTHER_TENANT, &old, &new, &[], Marks::default()).await?);
    assert!(!identities.succeed(TENANT, &room("!no"), &new, &[], Marks::default()).await?);
    assert!(identities.succeed(TENANT, &old, &new, &["bert", "dora"].map(user), Marks::default()).await?);
    assert!(
        !identities.succeed(TENANT, &old, &new, &[], Marks::default()).await?,
        "the room was replaced before"
    );
    assert_eq!(ports.rooms.find(&key).await?, Some((new.clone(), Marks::default())));
    for id in [&old, &new] {
        assert_eq!(ports.rooms.tenant_of(id).await?, Some(TENANT));
    }
    assert_eq!(ports.rooms.known(&[old.clone(), new.clone(), room("!no")]).await?.len(), 2);
    let rooms = ports.room_views.rooms(TENANT, &user("bert")).await?;
    let rooms: Vec<_> = rooms.iter().map(|room| (&room.matrix_room_id, room.unread_count)).collect();
    assert_eq!(rooms, [(&new, 2)]);
    assert_eq!(last_message_of(&ports, &new, "bert").await?.as_deref(), Some("a file"));
    assert!(may_read_file(&ports, "bert").await? && !may_read_file(&ports, "anna").await?);
    assert_eq!(ports.room_views.room(TENANT, &user("dora"), &new).await?.expect("a member").unread_count, 0);
    assert_eq!(ports.room_views.rooms(TENANT, &user("anna")).await?, []);
    let left = (Kind::RoomLeft, false);
    assert_eq!(changes_of(&ports, "bert").await?[1..], [left, (Kind::RoomJoined, true)]);
    assert_eq!(changes_of(&ports, "anna").await?.last(), Some(&left));
    let former = Former { current: new.clone(), is_history_restricted: false };
    assert_eq!(identities.former(&old).await?, Some(former));
    assert_eq!((identities.former(&new).await?, ports.room_marks.marks(&old).await?), (None, None));
    assert_eq!(identities.predecessor(&new).await?, Some(old.clone()));
    assert_eq!(ports.room_views.member_access(TENANT, &user("bert"), &old).await?, None);
    let access = ports.room_views.member_access(TENANT, &user("bert"), &new).await?.expect("a member");
    assert_eq!(access.predecessor, Some(old));
    ports.messages.ingest(&[of_new_room(message("$3"))]).await?;
    assert_eq!(ports.room_views.room(TENANT, &user("bert"), &new).await?.expect("a member").unread_count, 3);
    Ok(())
}

/// Each of several rooms in a row leads to the last one.
pub async fn a_successor_can_be_replaced_in_turn(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let (identities, members) = (&ports.rooms, ["anna", "bert"].map(user));
    let rooms = ["!1", "!2", "!3"].map(room);
    for pair in rooms.windows(2) {
        assert!(identities.succeed(TENANT, &pair[0], &pair[1], &members, Marks::ENCRYPTED).await?);
    }
    for old in &rooms[..2] {
        assert_eq!(identities.former(old).await?.expect("replaced").current, rooms[2]);
    }
    for pair in rooms.windows(2) {
        assert_eq!(identities.predecessor(&pair[1]).await?.as_ref(), Some(&pair[0]));
    }
    assert_eq!(identities.predecessor(&rooms[0]).await?, None);
    assert_eq!(ports.room_marks.marks(&rooms[2]).await?, Some(Marks::ENCRYPTED));
    assert_eq!(ports.room_views.rooms(TENANT, &user("anna")).await?.len(), 1);
    Ok(())
}

/// A message that is redacted in a replaced room is neither shown nor counted in its successor.
pub async fn a_redaction_in_a_replaced_room_reaches_its_successor(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let new = room("!new");
    ports.messages.ingest(&[message("$1"), with_file("$2")]).await?;
    let members = ["anna", "bert"].map(user);
    assert!(ports.rooms.succeed(TENANT, &room("!1"), &new, &members, Marks::default()).await?);
    ports.messages.ingest(&[ingested("$3", Change::Redacted { of: EventId::new("$2") })]).await?;
    assert_eq!(last_message_of(&ports, &new, "bert").await?.as_deref(), Some("message $1"));
    assert_eq!(ports.room_views.room(TENANT, &user("bert"), &new).await?.expect("a member").unread_count, 1);
    assert!(!may_read_file(&ports, "bert").await?);
    ports.messages.ingest(&[of_new_room(message("$4"))]).await?;
    assert_eq!(last_message_of(&ports, &new, "bert").await?.as_deref(), Some("message $4"));
    Ok(())
}

/// A successor that was adopted before the tombstone arrived is merged with the old room.
pub async fn a_successor_that_was_adopted_first_is_merged(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let key = RoomKey { tenant: TENANT, kind: RoomKind::Custom { id: "!adopted".to_owned() } };
    let old = room("!adopted");
    let profile =
        Profile { name: Some("Schicht".to_owned()), members: vec![user("anna")], ..Profile::default() };
    ports.rooms.register(&key, &old, &profile).await?;
    let other = RoomKey { tenant: TENANT, kind: RoomKind::Custom { id: "!new".to_owned() } };
    ports.rooms.register(&other, &room("!new"), &profile).await?;
    ports.messages.ingest(&[of_new_room(message("$1"))]).await?;
    let identities = &ports.rooms;
    assert!(identities.succeed(TENANT, &old, &room("!new"), &[user("anna")], Marks::default()).await?);
    let rooms = ports.room_views.rooms(TENANT, &user("anna")).await?;
    let named: Vec<_> = rooms.iter().filter(|room| room.display_name == "Schicht").collect();
    assert_eq!(named.len(), 1);
    assert_eq!(named[0].matrix_room_id, room("!new"));
    let former = identities.former(&old).await?.expect("replaced");
    assert!(former.is_history_restricted, "the homeserver decides on the old history of an adopted room");
    Ok(())
}

/// A warning is remembered once for each room.
pub async fn a_warning_is_remembered(store: &dyn Store) -> Result<()> {
    let marks = store.ports().room_marks;
    assert!(!marks.is_warned(&room("!x")).await?);
    marks.warned(&room("!x")).await?;
    marks.warned(&room("!x")).await?;
    assert!(marks.is_warned(&room("!x")).await? && !marks.is_warned(&room("!y")).await?);
    Ok(())
}
