//! Rooms as their members see them.

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind},
    id::{HubUserId, Position, RoomId, TenantId},
    notification::EntityId,
    port::IngestedEvent,
    room::{Pair, Profile, RoomKey, RoomKind, RoomType, Search},
    user::{Identity, Role},
};
use serde_json::{Value, json};

use super::{Store, messages::message};
use crate::fixtures::{OTHER_TENANT, TENANT, identity, room, user};

/// Anna and Bert in the usual tenant, Carl in the other.
async fn with_people(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    for (id, name) in [("anna", "Änne"), ("bert", "Bert")] {
        ports.users.sign_in(&Identity { display_name: name.to_owned(), ..identity(id) }, id).await?;
    }
    ports.users.sign_in(&Identity { tenant: OTHER_TENANT, ..identity("carl") }, "carl").await?;
    Ok(ports)
}

fn named(name: &str) -> Profile {
    Profile { name: Some(name.to_owned()), topic: Some(format!("about {name}")), ..Profile::default() }
}

fn entity(entity_type: &str, entity_id: &str) -> RoomKind {
    RoomKind::Entity { entity_type: entity_type.to_owned(), entity_id: entity_id.to_owned() }
}

async fn settle(
    ports: &Ports,
    tenant: TenantId,
    kind: RoomKind,
    id: &str,
    profile: &Profile,
) -> Result<RoomId> {
    ports.rooms.register(&RoomKey { tenant, kind }, &room(id), profile).await
}

async fn join(ports: &Ports, room: &RoomId, who: &str) -> Result<()> {
    ports.memberships.add(TENANT, room, &user(who)).await
}

fn pair(one: &str, other: &str) -> RoomKind {
    RoomKind::Dm(Pair::of(&user(one), &user(other)).expect("two users"))
}

fn everything() -> Search {
    Search { text: String::new(), entity_type: None, limit: 50, offset: 0 }
}

async fn told(ports: &Ports, who: &str) -> Result<Vec<(Kind, Value)>> {
    let events = ports.feed.after(Position(0), &[Audience::User(TENANT, user(who))], 100).await?;
    let fields = |text: &str| serde_json::from_str(text).expect("an event is an object");
    Ok(events.iter().map(|event| (event.kind, fields(event.payload.as_str()))).collect())
}

/// Each kind of room has the name, the type and the fields that people know it by.
pub async fn a_room_is_shown_as_its_members_know_it(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let custom = RoomKind::Custom { id: "x".to_owned() };
    let bot = RoomKind::BotDm { user: user("anna") };
    let service = RoomKind::Service { source_app: "a/b".to_owned() };
    let cases = [
        (RoomKind::General, named("Allgemein"), RoomType::General, "Allgemein", None),
        (
            entity("Fräse/3", "42"),
            named("Fräse 42"),
            RoomType::Entity,
            "Fräse 42",
            Some(EntityId::Number(42)),
        ),
        (entity("order", "007"), named("o"), RoomType::Entity, "o", Some(EntityId::Text("007".to_owned()))),
        (service, named("a/b"), RoomType::Service, "a/b", None),
        (bot, named("Messenger"), RoomType::Dm, "Messenger", None),
        (pair("bert", "anna"), Profile::default(), RoomType::Dm, "Bert", None),
        (custom, named("Mine"), RoomType::Custom, "Mine", None),
    ];
    for (n, (kind, profile, room_type, name, entity_id)) in cases.into_iter().enumerate() {
        let id = settle(&ports, TENANT, kind.clone(), &format!("!{n}"), &profile).await?;
        join(&ports, &id, "anna").await?;
        let seen = ports.room_views.room(TENANT, &user("anna"), &id).await?.expect("she is a member");
        assert_eq!((seen.room_type, seen.display_name.as_str()), (room_type, name));
        assert_eq!((&seen.topic, &seen.entity_id), (&profile.topic, &entity_id));
        let entity_type = match &kind {
            RoomKind::Entity { entity_type, .. } => Some(entity_type.clone()),
            _ => None,
        };
        assert_eq!(seen.entity_type, entity_type);
        assert_eq!((seen.unread_count, seen.last_message, seen.last_message_ts), (0, None, None));
        let access = ports.room_views.access(TENANT, &user("anna"), &id).await?.expect("it is a room");
        assert_eq!((access.key.kind, access.is_member, access.role), (kind, true, Role::User));
    }
    assert_eq!(ports.room_views.rooms(TENANT, &user("anna")).await?.len(), 7);
    Ok(())
}

/// Each of the two sees the other's name, as it is now.
pub async fn a_direct_chat_is_named_after_the_other(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let id = settle(&ports, TENANT, pair("anna", "bert"), "!dm", &Profile::default()).await?;
    join(&ports, &id, "anna").await?;
    join(&ports, &id, "bert").await?;
    let name = async |who: &str| -> Result<_> {
        Ok(ports.room_views.room(TENANT, &user(who), &id).await?.map(|room| room.display_name))
    };
    assert_eq!(name("anna").await?.as_deref(), Some("Bert"));
    assert_eq!(name("bert").await?.as_deref(), Some("Änne"));
    let renamed = Identity { display_name: "Norbert".to_owned(), ..identity("bert") };
    ports.users.sign_in(&renamed, "bert").await?;
    assert_eq!(name("anna").await?.as_deref(), Some("Norbert"));
    Ok(())
}

/// Nobody sees a room that they are not in, and no tenant another's.
pub async fn a_room_is_seen_by_its_members_only(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let custom = RoomKind::Custom { id: "x".to_owned() };
    let id = settle(&ports, TENANT, custom.clone(), "!1", &named("Mine")).await?;
    join(&ports, &id, "anna").await?;
    for (tenant, who) in [(TENANT, "bert"), (OTHER_TENANT, "carl"), (OTHER_TENANT, "anna")] {
        assert_eq!(ports.room_views.rooms(tenant, &user(who)).await?, [], "{who}");
        assert_eq!(ports.room_views.room(tenant, &user(who), &id).await?, None, "{who}");
        assert_eq!(ports.room_views.read(tenant, &user(who), &id).await?, None, "{who}");
    }
    let access =
        ports.room_views.access(TENANT, &user("bert"), &id).await?.expect("it is a room of the tenant");
    assert_eq!((access.key.kind, access.is_member), (custom, false));
    assert_eq!(ports.room_views.access(OTHER_TENANT, &user("carl"), &id).await?, None);
    assert_eq!(ports.room_views.access(TENANT, &user("anna"), &room("!no")).await?, None);
    assert_eq!(ports.room_views.access(TENANT, &user("carl"), &id).await?, None, "a user of another tenant");
    assert_eq!(ports.room_views.members(OTHER_TENANT, &id).await?, []);
    Ok(())
}

/// Members come by name, with what is known of them.
pub async fn members_come_by_name(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let id = settle(&ports, TENANT, RoomKind::General, "!1", &named("Allgemein")).await?;
    join(&ports, &id, "bert").await?;
    join(&ports, &id, "anna").await?;
    let members = ports.room_views.members(TENANT, &id).await?;
    let names: Vec<_> = members.iter().map(|user| (user.id().as_str(), user.localpart.as_str())).collect();
    assert_eq!(names, [("anna", "anna"), ("bert", "bert")]);
    Ok(())
}

/// Users are found by id and by localpart, in their own tenant.
pub async fn people_are_found_in_their_tenant_only(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let ids: Vec<HubUserId> = ["anna", "carl", "nobody"].map(user).into();
    let mut found = ports.room_views.people(TENANT, &ids, &["bert".to_owned(), "carl".to_owned()]).await?;
    found.sort_by_key(|user| user.id().clone());
    let found: Vec<_> = found.iter().map(|user| user.id().as_str()).collect();
    assert_eq!(found, ["anna", "bert"]);
    assert_eq!(ports.room_views.people(TENANT, &[], &[]).await?, []);
    Ok(())
}

/// The directory has the entity and service rooms of the tenant, says which of them one is in, and is searched.
pub async fn the_directory_has_what_everybody_may_open(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let service = RoomKind::Service { source_app: "inventory".to_owned() };
    settle(&ports, TENANT, entity("machine", "2"), "!m2", &named("Machine 2")).await?;
    let first = settle(&ports, TENANT, entity("machine", "1"), "!m1", &named("machine 1")).await?;
    settle(&ports, TENANT, service, "!s", &named("inventory")).await?;
    settle(&ports, TENANT, RoomKind::General, "!g", &named("Allgemein")).await?;
    settle(&ports, TENANT, RoomKind::Custom { id: "x".to_owned() }, "!c", &named("machine talk")).await?;
    settle(&ports, TENANT, pair("anna", "bert"), "!dm", &Profile::default()).await?;
    settle(&ports, OTHER_TENANT, entity("machine", "1"), "!other", &named("machine 1")).await?;
    ports.rooms.claim(&RoomKey { tenant: TENANT, kind: entity("machine", "3") }, super::LONG).await?;
    join(&ports, &first, "anna").await?;
    let list = async |search: Search| -> Result<_> {
        let found = ports.room_views.directory(TENANT, &user("anna"), &search).await?;
        Ok(found.into_iter().map(|room| (room.matrix_room_id.to_string(), room.joined)).collect::<Vec<_>>())
    };
    let owned =
        |list: &[(&str, bool)]| -> Vec<_> { list.iter().map(|(id, is)| ((*id).to_owned(), *is)).collect() };
    assert_eq!(list(everything()).await?, owned(&[("!s", false), ("!m1", true), ("!m2", false)]));
    let machines = Search { text: "MACHINE".to_owned(), ..everything() };
    assert_eq!(list(machines.clone()).await?, owned(&[("!m1", true), ("!m2", false)]));
    assert_eq!(list(Search { offset: 1, limit: 1, ..machines }).await?, owned(&[("!m2", false)]));
    let of_type = Search { entity_type: Some("machine".to_owned()), ..everything() };
    assert_eq!(list(of_type).await?.len(), 2);
    assert_eq!(list(Search { text: "%".to_owned(), ..everything() }).await?, []);
    Ok(())
}

/// Whoever comes into a room, or goes, is told which room it is, with all that a list of rooms shows.
pub async fn who_comes_and_goes_is_told_of_the_whole_room(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let id = settle(&ports, TENANT, entity("machine", "42"), "!1", &named("machine 42")).await?;
    join(&ports, &id, "anna").await?;
    ports.memberships.remove(TENANT, &id, &user("anna")).await?;
    let shown = json!({
        "room_id": "!1",
        "room": {
            "matrix_room_id": "!1", "display_name": "machine 42", "room_type": "entity",
            "topic": "about machine 42", "entity_type": "machine", "entity_id": 42, "unread_count": 0,
            "last_message": null, "last_message_ts": null, "encrypted": false,
        },
    });
    assert_eq!(told(&ports, "anna").await?, [(Kind::RoomJoined, shown.clone()), (Kind::RoomLeft, shown)]);
    Ok(())
}

/// Who is in a room from the first moment is told so with the room; of a room that came too late nobody hears.
pub async fn a_room_comes_with_its_first_members(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let profile = Profile { members: ["anna", "bert", "carl", "nobody"].map(user).into(), ..named("Mine") };
    let custom = RoomKind::Custom { id: "x".to_owned() };
    for id in ["!1", "!2"] {
        assert_eq!(settle(&ports, TENANT, custom.clone(), id, &profile).await?, room("!1"));
    }
    assert_eq!(ports.room_views.members(TENANT, &room("!1")).await?.len(), 2, "those of the tenant");
    assert_eq!(ports.room_views.members(TENANT, &room("!2")).await?, []);
    let told = told(&ports, "bert").await?;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1["room"]["display_name"], "Mine");
    Ok(())
}

/// Reading what is read already tells nobody.
pub async fn reading_again_is_no_change(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    let id = settle(&ports, TENANT, RoomKind::General, "!1", &named("Allgemein")).await?;
    join(&ports, &id, "anna").await?;
    let read = ports.room_views.read(TENANT, &user("anna"), &id).await?.expect("she is a member");
    assert!(!read.changed);
    assert_eq!(told(&ports, "anna").await?.len(), 1, "only that she joined");
    Ok(())
}

/// A clock decides nothing: neither one that is far ahead nor one that is behind. What is far ahead is no time to be shown.
pub async fn rooms_are_listed_by_the_arrival_of_their_last_message(store: &dyn Store) -> Result<()> {
    let ports = with_people(store).await?;
    for n in 1..=3 {
        let (number, id) = (n.to_string(), format!("!{n}"));
        let made = settle(&ports, TENANT, entity("machine", &number), &id, &named("x")).await?;
        join(&ports, &made, "anna").await?;
    }
    let listed = async || -> Result<Vec<String>> {
        let rooms = ports.room_views.rooms(TENANT, &user("anna")).await?;
        Ok(rooms.into_iter().map(|room| room.matrix_room_id.to_string()).collect())
    };
    assert_eq!(listed().await?, ["!3", "!2", "!1"], "who was made last");
    let clocks = ["9999-12-30T22:00:00Z", "1970-01-01T00:00:00Z", "2026-01-01T06:00:00Z"];
    for (n, (at, timestamp)) in ["!1", "!2", "!1"].into_iter().zip(clocks).enumerate() {
        let said = message(&format!("${n}"));
        let timestamp = timestamp.parse().expect("a time");
        ports.messages.ingest(&[IngestedEvent { room: room(at), timestamp, ..said }]).await?;
        assert_eq!(listed().await?[0], at, "after {timestamp}");
    }
    assert_eq!(listed().await?, ["!1", "!2", "!3"]);
    let shown =
        ports.room_views.room(TENANT, &user("anna"), &room("!1")).await?.and_then(|one| one.last_message_ts);
    let year_3000 = "3000-01-01T00:00:00Z".parse().expect("a time");
    assert!(shown.is_some_and(|shown| shown < year_3000), "{shown:?}");
    Ok(())
}
