//! Ingested events: each once, with all that follows from it.

use messenger_core::{
    Error, Ports, Result,
    event::{Audience, Kind},
    id::{EventId, HubUserId, MatrixUserId, Position},
    media::{File, Mxc},
    message::{Mentions, MessageContent},
    port::{Change, IngestedEvent},
    room::{Profile, RoomKey, RoomKind},
    user::{Account, Identity, Role},
};
use serde_json::json;

use super::{LONG, Store, concurrently};
use crate::fixtures::{OTHER_TENANT, TENANT, all_of, identity, payload, room, user};

/// Registers a room with Anna and Bert in it.
pub(super) async fn with_members(store: &dyn Store) -> Result<Ports> {
    let ports = store.ports();
    let key = RoomKey { tenant: TENANT, kind: RoomKind::Service { source_app: "x".to_owned() } };
    ports.rooms.register(&key, &room("!1"), &Profile::default()).await?;
    for name in ["anna", "bert"] {
        ports.users.sign_in(&identity(name), name).await?;
        ports.memberships.add(TENANT, &room("!1"), &user(name)).await?;
    }
    Ok(ports)
}

pub(super) fn ingested(id: &str, change: Change) -> IngestedEvent {
    let payload = change.kind().map(|_| payload(&json!({ "event_id": id })));
    let timestamp = "2026-01-01T06:00:00Z".parse().expect("a time");
    let sender = sender("anna");
    IngestedEvent {
        event_id: EventId::new(id),
        tenant: TENANT,
        room: room("!1"),
        sender,
        timestamp,
        change,
        payload,
        alarm: None,
    }
}

pub(super) fn sender(name: &str) -> MatrixUserId {
    MatrixUserId::new(format!("@{name}:hub.local"))
}

pub(super) fn message(id: &str) -> IngestedEvent {
    let by = Some(user("anna"));
    let summary = format!("message {id}");
    ingested(id, Change::Message { by, summary, file: None, mentions: Mentions::default(), text: None })
}

pub(super) fn mentioning(id: &str, mentions: Mentions<HubUserId>) -> IngestedEvent {
    let (by, summary) = (Some(user("anna")), "mentions somebody".to_owned());
    ingested(id, Change::Message { by, summary, file: None, mentions, text: None })
}

/// Returns the one picture.
pub(super) fn file() -> File {
    File {
        mxc: mxc(),
        filename: "Übersicht.png".to_owned(),
        file_size: Some(7),
        mimetype: Some("image/png".to_owned()),
    }
}

pub(super) fn picture(id: &str) -> IngestedEvent {
    let file = file();
    ingested(
        id,
        Change::Message {
            by: None,
            summary: file.filename.clone(),
            file: Some(file),
            mentions: Mentions::default(),
            text: None,
        },
    )
}

pub(super) fn mxc() -> Mxc {
    Mxc::new("hub.local", "abc").expect("a valid name")
}

pub(super) fn edited(id: &str, of: &str, by: &str, body: &str) -> IngestedEvent {
    let by = sender(by);
    let edit = Change::Edited {
        of: EventId::new(of),
        by: by.clone(),
        content: MessageContent::text(body, "m.text"),
    };
    IngestedEvent { sender: by, ..ingested(id, edit) }
}

pub(super) fn reaction(id: &str, of: &str, by: &str, key: &str) -> IngestedEvent {
    let change = Change::Reaction { of: EventId::new(of), key: key.to_owned() };
    IngestedEvent { sender: sender(by), ..ingested(id, change) }
}

/// Returns kinds and payloads of the room's events.
pub(super) async fn room_events(ports: &Ports) -> Result<Vec<(Kind, String)>> {
    let audience = [Audience::Room(TENANT, room("!1"))];
    let events = ports.feed.after(Position(0), &all_of(&audience), 1000).await?;
    Ok(events.into_iter().map(|event| (event.kind, event.payload.as_str().to_owned())).collect())
}

/// An event is ingested once, however often it is handed over and with whatever others.
pub async fn an_event_is_ingested_once(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    assert!(!ports.messages.is_ingested(&EventId::new("$1")).await?);
    assert_eq!(ports.messages.ingest(&[message("$1"), message("$2"), message("$1")]).await?, 2);
    assert!(ports.messages.is_ingested(&EventId::new("$1")).await?);
    assert!(!ports.messages.is_ingested(&EventId::new("$3")).await?);
    assert_eq!(ports.messages.ingest(&[message("$2"), message("$3"), message("$1")]).await?, 1);
    assert_eq!(ports.messages.ingest(&[]).await?, 0);
    let events = room_events(&ports).await?;
    let expected = ["$1", "$2", "$3"].map(|id| (Kind::NewMessage, format!("{{\"event_id\":\"{id}\"}}")));
    assert_eq!(events, expected);
    Ok(())
}

/// Events that are handed over concurrently are each ingested once, in their order.
pub async fn events_ingested_concurrently_keep_their_order(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let new = concurrently(8, |_| {
        let ports = ports.clone();
        async move {
            let mut new = 0;
            for n in 0..10 {
                let batch: Vec<_> = (0..5).map(|m| message(&format!("${:02}", n * 5 + m))).collect();
                new += ports.messages.ingest(&batch).await?;
            }
            Ok(new)
        }
    })
    .await?;
    assert_eq!(new.into_iter().sum::<usize>(), 50);
    let events = room_events(&ports).await?;
    let expected: Vec<_> =
        (0..50).map(|n| (Kind::NewMessage, format!("{{\"event_id\":\"${n:02}\"}}"))).collect();
    assert_eq!(events, expected);
    Ok(())
}

/// An event without a payload appends nothing, and is remembered all the same.
pub async fn an_event_without_payload_is_remembered(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let silent = IngestedEvent { payload: None, ..message("$1") };
    assert_eq!(ports.messages.ingest(std::slice::from_ref(&silent)).await?, 1);
    assert_eq!(ports.messages.ingest(&[message("$1")]).await?, 0);
    assert_eq!(room_events(&ports).await?, []);
    Ok(())
}

/// The last message of a room is the last one in the log, whatever its timestamp. The room does not move back
/// in the list for an old timestamp.
pub async fn the_last_message_is_the_last_to_arrive(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let late = "2025-12-31T23:59:59Z".parse().expect("a time");
    ports.messages.ingest(&[message("$1"), IngestedEvent { timestamp: late, ..message("$2") }]).await?;
    let seen = ports.room_views.room(TENANT, &user("anna"), &room("!1")).await?.expect("a member");
    assert_eq!(seen.last_message.as_deref(), Some("message $2"));
    assert_eq!(seen.last_message_ts, Some(message("$1").timestamp));
    Ok(())
}

/// A sender has read the messages before their own, and their other devices are notified of it once.
pub async fn a_sender_has_read_the_room_and_is_notified(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let by_bert = |id: &str| {
        let summary = format!("message {id}");
        ingested(
            id,
            Change::Message {
                by: Some(user("bert")),
                summary,
                file: None,
                mentions: Mentions::default(),
                text: None,
            },
        )
    };
    ports
        .messages
        .ingest(&[message("$1"), message("$2"), by_bert("$3"), by_bert("$4"), message("$5")])
        .await?;
    ports.messages.ingest(&[message("$5"), by_bert("$6")]).await?;
    let received = async |name: &str| {
        let audience = [Audience::User(TENANT, user(name)), Audience::Room(TENANT, room("!1"))];
        let events = ports.feed.after(Position(0), &all_of(&audience), 100).await?;
        let kinds = events.into_iter().map(|event| event.kind).filter(|kind| *kind != Kind::RoomJoined);
        Ok::<_, Error>(kinds.collect::<Vec<_>>())
    };
    let (new, unread) = (Kind::NewMessage, Kind::Unread);
    assert_eq!(received("bert").await?, [new, new, new, unread, new, new, new, unread]);
    assert_eq!(received("anna").await?, [new, new, new, new, new, unread, new]);
    let audience = [Audience::User(TENANT, user("bert"))];
    let last = ports.feed.after(Position(0), &all_of(&audience), 100).await?.pop().expect("an event");
    let payload: serde_json::Value = serde_json::from_str(last.payload.as_str()).expect("JSON");
    assert_eq!(payload, json!({ "room_id": "!1", "unread_count": 0, "mention_count": 0 }));
    Ok(())
}

/// Each change is published with its event type.
pub async fn each_change_has_its_event_type(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let redacted = ingested("$3", Change::Redacted { of: EventId::new("$1") });
    let events =
        [message("$1"), edited("$2", "$1", "anna", "x"), redacted, reaction("$4", "$5", "anna", "👍")];
    assert_eq!(ports.messages.ingest(&events).await?, 4);
    let kinds: Vec<_> = room_events(&ports).await?.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [Kind::NewMessage, Kind::MessageEdited, Kind::MessageRedacted, Kind::Reaction]);
    Ok(())
}

/// Joins and leaves are ingested in one order with messages. An old one that arrives late changes nothing.
pub async fn memberships_are_ingested_in_order(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let left = ingested("$1", Change::Left(user("bert")));
    let joined = ingested("$2", Change::Joined(user("bert")));
    let again = ingested("$3", Change::Left(user("bert")));
    ports.messages.ingest(&[left.clone(), joined.clone(), again.clone()]).await?;
    assert!(!ports.memberships.is_member(TENANT, &room("!1"), &user("bert")).await?);
    assert_eq!(ports.messages.ingest(&[joined]).await?, 0);
    assert!(!ports.memberships.is_member(TENANT, &room("!1"), &user("bert")).await?);
    let audience = [Audience::User(TENANT, user("bert"))];
    let kinds: Vec<_> =
        ports.feed.after(Position(0), &all_of(&audience), 10).await?.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [Kind::RoomJoined, Kind::RoomLeft, Kind::RoomJoined, Kind::RoomLeft]);
    Ok(())
}

/// A member is known in their room and tenant only.
pub async fn a_member_is_known_in_their_room_and_tenant_only(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let is_member = async |tenant, id: &str, name: &str| {
        ports.memberships.is_member(tenant, &room(id), &user(name)).await
    };
    assert!(is_member(TENANT, "!1", "anna").await?);
    assert!(!is_member(OTHER_TENANT, "!1", "anna").await?);
    assert!(!is_member(TENANT, "!2", "anna").await?);
    assert!(!is_member(TENANT, "!1", "carl").await?);
    let role = async |tenant, id: &str, name: &str| -> Result<Option<Role>> {
        let access = ports.room_views.member_access(tenant, &user(name), &room(id)).await?;
        Ok(access.map(|access| access.role))
    };
    assert_eq!(role(TENANT, "!1", "anna").await?, Some(Role::User));
    assert_eq!(role(OTHER_TENANT, "!1", "anna").await?, None);
    assert_eq!(role(TENANT, "!2", "anna").await?, None);
    assert_eq!(role(TENANT, "!1", "carl").await?, None);
    ports.users.sign_in(&Identity { role: Role::Viewer, ..identity("anna") }, "anna").await?;
    assert_eq!(role(TENANT, "!1", "anna").await?, Some(Role::Viewer));
    Ok(())
}

/// The last edit of each sender is kept until the message is redacted.
pub async fn the_last_edit_of_each_sender_is_kept(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let one = EventId::new("$1");
    let events = [
        message("$1"),
        edited("$2", "$1", "anna", "better"),
        edited("$3", "$1", "bert", "lies"),
        edited("$4", "$1", "anna", "best"),
        edited("$5", "$9", "anna", "another"),
    ];
    ports.messages.ingest(&events).await?;
    let mut edits = ports.messages.edits(std::slice::from_ref(&one)).await?;
    edits.sort_by(|a, b| a.by.cmp(&b.by));
    let bodies: Vec<_> = edits.iter().map(|edit| (edit.by.as_str(), edit.content.body.as_str())).collect();
    assert_eq!(bodies, [("@anna:hub.local", "best"), ("@bert:hub.local", "lies")]);

    let mut of_room =
        ports.messages.edits_in(&room("!1"), 4).await?.expect("four edits are within the limit");
    of_room.sort_by(|a, b| (&a.of, &a.by).cmp(&(&b.of, &b.by)));
    assert_eq!(of_room.pop().expect("the edit of another message").of.as_str(), "$9");
    assert_eq!(of_room, edits);
    assert_eq!(ports.messages.edits_in(&room("!1"), 3).await?, None);
    assert_eq!(ports.messages.edits_in(&room("!2"), 3).await?, Some(Vec::new()));
    ports.messages.ingest(&[ingested("$6", Change::Redacted { of: one.clone() })]).await?;
    assert_eq!(ports.messages.edits(&[one]).await?, []);
    Ok(())
}

/// Users of any tenant are found by their localparts; unknown users and foreign accounts are left out.
pub async fn users_are_found_by_their_localparts(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    for name in ["anna", "bert"] {
        assert_eq!(ports.users.with_localparts(&[name.to_owned()]).await?, []);
        let known = ports.users.in_any_tenant(&user(name)).await?.expect("known");
        ports.users.record_account(&known, Account::Ours, LONG).await?;
    }
    let localparts = ["bert", "nobody", "anna"].map(str::to_owned);
    let mut found: Vec<_> =
        ports.users.with_localparts(&localparts).await?.into_iter().map(|user| user.localpart).collect();
    found.sort_unstable();
    assert_eq!(found, ["anna", "bert"]);
    Ok(())
}
