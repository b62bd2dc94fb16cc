//! The room directory: rooms as their members see them.

use messenger_core::{
    Error, Ports, Result,
    event::{Audience, Kind},
    id::{EventId, HubUserId, Position, RoomId, TenantId},
    message::Mentions,
    notification::EntityId,
    port::{Change, IngestedEvent, ReadUpTo},
    room::{Pair, Profile, RoomKey, RoomKind, RoomType, Search},
    user::{Identity, Role},
};
use serde_json::{Value, json};

use super::{
    Store,
    messages::{ingested, mentioning, message, with_members},
};
use crate::fixtures::{OTHER_TENANT, TENANT, all_of, identity, room, user};

/// Signs in Anna and Bert in the usual tenant, and Carl in the other.
async fn with_users(store: &dyn Store) -> Result<Ports> {
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

async fn register(
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

async fn user_events(ports: &Ports, who: &str) -> Result<Vec<(Kind, Value)>> {
    let events = ports.feed.after(Position(0), &all_of(&[Audience::User(TENANT, user(who))]), 100).await?;
    let fields = |text: &str| serde_json::from_str(text).expect("an event is an object");
    Ok(events.iter().map(|event| (event.kind, fields(event.payload.as_str()))).collect())
}

/// Each kind of room has its name, type and fields.
pub async fn a_room_has_the_name_type_and_fields_of_its_kind(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
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
        let id = register(&ports, TENANT, kind.clone(), &format!("!{n}"), &profile).await?;
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

/// Each of the two members sees the other's present name.
pub async fn a_direct_chat_is_named_after_the_partner(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let id = register(&ports, TENANT, pair("anna", "bert"), "!dm", &Profile::default()).await?;
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

/// A user sees neither a room that they are not in nor one of another tenant.
pub async fn a_room_is_seen_by_its_members_only(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let custom = RoomKind::Custom { id: "x".to_owned() };
    let id = register(&ports, TENANT, custom.clone(), "!1", &named("Mine")).await?;
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

/// Members are sorted by name.
pub async fn members_are_sorted_by_name(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let id = register(&ports, TENANT, RoomKind::General, "!1", &named("Allgemein")).await?;
    join(&ports, &id, "bert").await?;
    join(&ports, &id, "anna").await?;
    let members = ports.room_views.members(TENANT, &id).await?;
    let names: Vec<_> = members.iter().map(|user| (user.id().as_str(), user.localpart.as_str())).collect();
    assert_eq!(names, [("anna", "anna"), ("bert", "bert")]);
    Ok(())
}

/// Users are found by id and by localpart, in their own tenant only.
pub async fn users_are_found_in_their_tenant_only(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let ids: Vec<HubUserId> = ["anna", "carl", "nobody"].map(user).into();
    let mut found = ports.room_views.people(TENANT, &ids, &["bert".to_owned(), "carl".to_owned()]).await?;
    found.sort_by_key(|user| user.id().clone());
    let found: Vec<_> = found.iter().map(|user| user.id().as_str()).collect();
    assert_eq!(found, ["anna", "bert"]);
    assert_eq!(ports.room_views.people(TENANT, &[], &[]).await?, []);
    Ok(())
}

/// The directory lists the entity and service rooms of the tenant, whether the user is a member, and can be
/// searched.
pub async fn the_directory_lists_entity_and_service_rooms(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let service = RoomKind::Service { source_app: "inventory".to_owned() };
    register(&ports, TENANT, entity("machine", "2"), "!m2", &named("Machine 2")).await?;
    let first = register(&ports, TENANT, entity("machine", "1"), "!m1", &named("machine 1")).await?;
    register(&ports, TENANT, service, "!s", &named("inventory")).await?;
    register(&ports, TENANT, RoomKind::General, "!g", &named("Allgemein")).await?;
    register(&ports, TENANT, RoomKind::Custom { id: "x".to_owned() }, "!c", &named("machine talk")).await?;
    register(&ports, TENANT, pair("anna", "bert"), "!dm", &Profile::default()).await?;
    register(&ports, OTHER_TENANT, entity("machine", "1"), "!other", &named("machine 1")).await?;
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

/// A join or leave is published with the room as the room list shows it.
pub async fn joins_and_leaves_are_published_with_the_room(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let id = register(&ports, TENANT, entity("machine", "42"), "!1", &named("machine 42")).await?;
    join(&ports, &id, "anna").await?;
    ports.memberships.remove(TENANT, &id, &user("anna")).await?;
    let shown = json!({
        "room_id": "!1",
        "room": {
            "matrix_room_id": "!1", "display_name": "machine 42", "room_type": "entity",
            "topic": "about machine 42", "entity_type": "machine", "entity_id": 42, "unread_count": 0,
            "last_message": null, "last_message_ts": null, "encrypted": false, "mention_count": 0,
            "muted": false, "read_event_id": null,
        },
    });
    assert_eq!(
        user_events(&ports, "anna").await?,
        [(Kind::RoomJoined, shown.clone()), (Kind::RoomLeft, shown)]
    );
    Ok(())
}

/// The first members are notified of a new room, but not of one whose key was already registered.
pub async fn a_room_is_registered_with_its_first_members(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let profile = Profile { members: ["anna", "bert", "carl", "nobody"].map(user).into(), ..named("Mine") };
    let custom = RoomKind::Custom { id: "x".to_owned() };
    for id in ["!1", "!2"] {
        assert_eq!(register(&ports, TENANT, custom.clone(), id, &profile).await?, room("!1"));
    }
    assert_eq!(ports.room_views.members(TENANT, &room("!1")).await?.len(), 2, "the members of the tenant");
    assert_eq!(ports.room_views.members(TENANT, &room("!2")).await?, []);
    let events = user_events(&ports, "bert").await?;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].1["room"]["display_name"], "Mine");
    Ok(())
}

/// Reading a room that has no unread messages publishes nothing.
pub async fn reading_again_is_no_change(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    let id = register(&ports, TENANT, RoomKind::General, "!1", &named("Allgemein")).await?;
    join(&ports, &id, "anna").await?;
    let read = ports.room_views.read(TENANT, &user("anna"), &id).await?.expect("she is a member");
    assert!(!read.changed);
    assert_eq!(user_events(&ports, "anna").await?.len(), 1, "only the join");
    Ok(())
}

/// Rooms are sorted by the arrival of their last message, not by its timestamp. A timestamp that is far ahead
/// is not shown.
pub async fn rooms_are_listed_by_the_arrival_of_their_last_message(store: &dyn Store) -> Result<()> {
    let ports = with_users(store).await?;
    for n in 1..=3 {
        let (number, id) = (n.to_string(), format!("!{n}"));
        let created = register(&ports, TENANT, entity("machine", &number), &id, &named("x")).await?;
        join(&ports, &created, "anna").await?;
    }
    let listed = async || -> Result<Vec<String>> {
        let rooms = ports.room_views.rooms(TENANT, &user("anna")).await?;
        Ok(rooms.into_iter().map(|room| room.matrix_room_id.to_string()).collect())
    };
    assert_eq!(listed().await?, ["!3", "!2", "!1"], "the newest room first");
    let clocks = ["9999-12-30T22:00:00Z", "1970-01-01T00:00:00Z", "2026-01-01T06:00:00Z"];
    for (n, (room_id, timestamp)) in ["!1", "!2", "!1"].into_iter().zip(clocks).enumerate() {
        let message = message(&format!("${n}"));
        let timestamp = timestamp.parse().expect("a time");
        ports.messages.ingest(&[IngestedEvent { room: room(room_id), timestamp, ..message }]).await?;
        assert_eq!(listed().await?[0], room_id, "after {timestamp}");
    }
    assert_eq!(listed().await?, ["!1", "!2", "!3"]);
    let shown =
        ports.room_views.room(TENANT, &user("anna"), &room("!1")).await?.and_then(|one| one.last_message_ts);
    let year_3000 = "3000-01-01T00:00:00Z".parse().expect("a time");
    assert!(shown.is_some_and(|shown| shown < year_3000), "{shown:?}");
    Ok(())
}

/// A member sees the last message that they have read, and the number of unread mentions.
pub async fn a_member_sees_their_read_position_and_unread_mentions(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let seen = async || {
        let room = ports.room_views.room(TENANT, &user("bert"), &room("!1")).await?.expect("a member");
        Ok::<_, Error>((room.mention_count, room.read_event_id.map(|id| id.to_string())))
    };
    let of = |id: &str, users: &[&str], all: bool| {
        let users = users.iter().map(|name| user(name)).collect();
        mentioning(id, Mentions { users, room: all })
    };
    assert_eq!(seen().await?, (0, None));
    ports.messages.ingest(&[of("$1", &["anna", "bert"], false), of("$2", &["anna"], false)]).await?;
    assert_eq!(seen().await?, (1, None));
    ports.room_views.read(TENANT, &user("bert"), &room("!1")).await?;
    assert_eq!(seen().await?, (0, Some("$2".to_owned())));
    ports.messages.ingest(&[of("$3", &[], true), of("$4", &["bert"], true)]).await?;
    assert_eq!(seen().await?, (2, Some("$2".to_owned())));
    let receipt =
        ReadUpTo { room: room("!1"), localpart: "bert".to_owned(), events: vec![EventId::new("$3")] };
    ports.room_views.read_up_to(&[receipt]).await?;
    assert_eq!(seen().await?, (1, Some("$3".to_owned())));
    for (redaction, of) in [("$5", "$4"), ("$6", "$3")] {
        ports.messages.ingest(&[ingested(redaction, Change::Redacted { of: EventId::new(of) })]).await?;
    }
    assert_eq!(seen().await?, (0, Some("$2".to_owned())), "a redacted message is neither");
    // A mention is counted behind the last fifty messages, too.
    ports.messages.ingest(&[of("$7", &["bert"], false)]).await?;
    let many: Vec<_> = (0..120).map(|n| message(&format!("$m{n}"))).collect();
    ports.messages.ingest(&many).await?;
    assert_eq!(seen().await?, (1, Some("$2".to_owned())));
    Ok(())
}

/// A member mutes a room for all devices, which learn of it once.
pub async fn a_member_mutes_a_room_for_all_devices(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let (bert, here) = (user("bert"), room("!1"));
    let muted = async || {
        let room = ports.room_views.room(TENANT, &bert, &here).await?;
        Ok::<_, Error>(room.map(|room| room.muted))
    };
    for is_muted in [true, true, false, true] {
        assert!(ports.memberships.set_muted(TENANT, &here, &bert, is_muted).await?);
        assert_eq!(muted().await?, Some(is_muted));
    }
    let anna = ports.room_views.room(TENANT, &user("anna"), &here).await?.expect("a member");
    assert!(!anna.muted);
    let audience = [Audience::User(TENANT, bert.clone())];
    let events = ports.feed.after(Position(0), &all_of(&audience), 100).await?;
    let events = events.into_iter().filter(|event| event.kind == Kind::RoomMuted);
    let events: Vec<_> = events.map(|event| event.payload.as_str().to_owned()).collect();
    let payload = |muted| format!("{{\"room_id\":\"!1\",\"muted\":{muted}}}");
    assert_eq!(events, [payload(true), payload(false), payload(true)]);
    ports.memberships.remove(TENANT, &here, &bert).await?;
    assert!(!ports.memberships.set_muted(TENANT, &here, &bert, true).await?);
    ports.memberships.add(TENANT, &here, &bert).await?;
    assert_eq!(muted().await?, Some(false), "the end of the membership ends it");
    assert!(!ports.memberships.set_muted(TENANT, &room("!nowhere"), &bert, true).await?);
    Ok(())
}
