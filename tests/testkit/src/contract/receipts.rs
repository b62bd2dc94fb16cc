//! Read receipts of other Matrix clients, and the read positions of members.

use messenger_core::{
    Ports, Result,
    event::{Audience, Kind},
    id::{EventId, Position},
    message::Mentions,
    port::{Change, ReadUpTo},
    room::{Profile, RoomKey, RoomKind},
};
use serde_json::{Value, json};

use super::{
    Store, concurrently,
    messages::{ingested, mentioning, message, with_members},
};
use crate::fixtures::{OTHER_TENANT, TENANT, all_of, identity, room, user};

fn receipt(who: &str, events: &[&str]) -> ReadUpTo {
    let events = events.iter().map(|event| EventId::new(*event)).collect();
    ReadUpTo { room: room("!1"), localpart: who.to_owned(), events }
}

async fn unread(ports: &Ports, who: &str) -> Result<i64> {
    let seen = ports.room_views.room(TENANT, &user(who), &room("!1")).await?;
    Ok(seen.expect("a member").unread_count)
}

/// Returns the numbers of unread messages and of mentions of an `unread` event.
fn counts(event: &Value) -> (i64, i64) {
    let count = |name: &str| event[name].as_i64().expect("a number");
    (count("unread_count"), count("mention_count"))
}

/// Returns the `unread` events of a user's devices.
async fn unread_events(ports: &Ports, who: &str) -> Result<Vec<Value>> {
    let events = ports.feed.after(Position(0), &all_of(&[Audience::User(TENANT, user(who))]), 100).await?;
    let unread = events.iter().filter(|event| event.kind == Kind::Unread);
    Ok(unread.map(|event| serde_json::from_str(event.payload.as_str()).expect("JSON")).collect())
}

/// A late or repeated receipt changes nothing and publishes nothing.
pub async fn a_receipt_moves_the_read_position_forward_only(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&["$1", "$2", "$3", "$4"].map(message)).await?;
    let mut left = Vec::new();
    for event in ["$2", "$1", "$2", "$4", "$3", "$4"] {
        assert_eq!(ports.room_views.read_up_to(&[receipt("bert", &[event])]).await?, [0; 0]);
        left.push(unread(&ports, "bert").await?);
    }
    assert_eq!(left, [2, 2, 2, 0, 0, 0]);
    let expected = [2, 0].map(|count| json!({ "room_id": "!1", "unread_count": count, "mention_count": 0 }));
    assert_eq!(unread_events(&ports, "bert").await?, expected);
    // A message that was read here is read on the homeserver, too, and its receipt returns.
    ports.messages.ingest(&[message("$5")]).await?;
    ports.room_views.read(TENANT, &user("bert"), &room("!1")).await?;
    ports.room_views.read_up_to(&[receipt("bert", &["$5"]), receipt("bert", &["$4"])]).await?;
    assert_eq!((unread(&ports, "bert").await?, unread_events(&ports, "bert").await?.len()), (0, 3));
    Ok(())
}

/// The event of a read position names the mentions that are left, as the list of rooms does.
pub async fn a_receipt_reports_the_mentions_that_are_left(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    let to = |id: &str, who: &str| mentioning(id, Mentions { users: vec![user(who)], room: false });
    ports.messages.ingest(&[to("$1", "bert"), to("$2", "bert"), to("$3", "anna"), message("$4")]).await?;
    for event in ["$1", "$2", "$4"] {
        ports.room_views.read_up_to(&[receipt("bert", &[event])]).await?;
    }
    let counts: Vec<_> = unread_events(&ports, "bert").await?.iter().map(counts).collect();
    assert_eq!(counts, [(3, 1), (2, 0), (0, 0)]);
    Ok(())
}

/// The latest known event of a receipt counts; a redacted message is not known.
pub async fn a_receipt_for_an_unknown_event_is_returned(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.messages.ingest(&["$1", "$2", "$3"].map(message)).await?;
    ports.messages.ingest(&[ingested("$4", Change::Redacted { of: EventId::new("$2") })]).await?;
    let receipts = [receipt("bert", &["$1"]), receipt("bert", &["$state"]), receipt("bert", &["$2"])];
    assert_eq!(ports.room_views.read_up_to(&receipts).await?, [1, 2]);
    assert_eq!(unread(&ports, "bert").await?, 1);
    let looked_up = receipt("bert", &["$later", "$3", "$2", "$1"]);
    assert_eq!(ports.room_views.read_up_to(&[looked_up]).await?, [0; 0]);
    assert_eq!(unread(&ports, "bert").await?, 0);
    assert_eq!(
        ports.room_views.read_up_to(&receipts).await?,
        [0; 0],
        "no receipt is returned for a user who has read all messages"
    );
    assert_eq!(ports.room_views.read_up_to(&[]).await?, [0; 0]);
    Ok(())
}

/// Only receipts of members of the room in its tenant count.
pub async fn receipts_of_non_members_change_nothing(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    ports.users.sign_in(&identity("carl"), "carl").await?;
    let kind = RoomKind::Service { source_app: "x".to_owned() };
    let key = RoomKey { tenant: OTHER_TENANT, kind };
    ports.rooms.register(&key, &room("!2"), &Profile::default()).await?;
    ports.messages.ingest(&[message("$1")]).await?;
    let before = ports.feed.span().await?;
    let in_room = |id: &str| ReadUpTo { room: room(id), ..receipt("bert", &["$1"]) };
    let others = [receipt("carl", &["$1"]), receipt("nobody", &["$1"]), in_room("!2"), in_room("!9")];
    assert_eq!(ports.room_views.read_up_to(&others).await?, [0; 0]);
    assert_eq!((unread(&ports, "bert").await?, ports.feed.span().await?), (1, before));
    Ok(())
}

/// Each read position is published once while messages arrive concurrently.
pub async fn receipts_concurrent_with_messages_keep_the_count(store: &dyn Store) -> Result<()> {
    let ports = with_members(store).await?;
    concurrently(8, |n| {
        let ports = ports.clone();
        async move {
            for m in 0..5 {
                let id = format!("${n}.{m}");
                ports.messages.ingest(&[message(&id)]).await?;
                ports.room_views.read_up_to(&[receipt("bert", &[&id]), receipt("anna", &[&id])]).await?;
            }
            Ok(())
        }
    })
    .await?;
    let counts: Vec<_> =
        unread_events(&ports, "bert").await?.iter().map(|one| one["unread_count"].as_i64()).collect();
    assert!(!counts.is_empty() && counts.len() <= 40, "{counts:?}");
    let left = unread(&ports, "bert").await?;
    assert_eq!(counts.last().copied().flatten(), Some(0), "a receipt for the last message reads all");
    assert_eq!(left, 0);
    Ok(())
}
