//! What stands in rooms: read as the bot, page by page, and from where one has arrived.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use messenger_core::{
    error::Failure,
    id::{EventId, RoomId},
    message::MessageContent,
    port::{Homeserver, Timeline},
    room_event::{Content, RoomEvent},
};
use serde_json::json;

use crate::stand::{BOT, Stand, failure, part, room, text, user};

const NO_WAIT: Duration = Duration::ZERO;

/// A room with Anna in it.
async fn with_anna(stand: &Stand, alias: &str) -> Result<RoomId> {
    let id = stand.appservice.create_room(&room(alias)).await?;
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    stand.appservice.join(&id, &user("anna")).await?;
    Ok(id)
}

/// When it is said, whenever it is sent.
fn at() -> Timestamp {
    Timestamp::from_millisecond(1_760_000_000_123).unwrap_or_default()
}

async fn say(stand: &Stand, id: &RoomId, numbers: std::ops::Range<u32>) -> Result<Vec<EventId>> {
    let mut events = Vec::new();
    for n in numbers {
        let transaction = format!("say.{n}");
        let said = text(&format!("message {n}"));
        events.push(stand.appservice.send_as(id, &user("anna"), &transaction, at(), &said).await?);
    }
    Ok(events)
}

fn messages(events: &[RoomEvent]) -> Vec<EventId> {
    let messages = events.iter().filter(|event| matches!(event.content, Content::Message(_)));
    messages.map(|event| event.event_id.clone()).collect()
}

pub(crate) async fn a_user_says_something_once_also_after_a_restart(mut stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "says").await?;
    let first = stand.appservice.send_as(&id, &user("anna"), "t1", at(), &text("one")).await?;
    assert_eq!(stand.appservice.send_as(&id, &user("anna"), "t1", at(), &text("one")).await?, first);
    stand.server.stop().await;
    stand.server.start_again().await?;
    assert_eq!(stand.appservice.send_as(&id, &user("anna"), "t1", at(), &text("one")).await?, first);
    let event = stand.appservice.event(&id, &first).await?.context("the event")?;
    assert_eq!((event.sender, event.event_id, event.timestamp), (user("anna"), first, at()));
    assert_eq!(stand.appservice.event(&id, &EventId::new("$nothing")).await?, None);
    Ok(())
}

pub(crate) async fn a_room_is_read_backwards_to_its_beginning(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "backwards").await?;
    let mut said = say(&stand, &id, 0..25).await?;
    let (mut read, mut from) = (Vec::new(), None);
    loop {
        let page = stand.appservice.before(&id, from.as_deref(), 7, None).await?;
        if from.is_none() {
            // A page is found again by its start.
            let again = stand.appservice.before(&id, Some(&page.start), 7, None).await?;
            assert_eq!(messages(&again.events), messages(&page.events));
        }
        read.extend(messages(&page.events));
        match page.end {
            Some(end) => from = Some(end),
            None => break,
        }
    }
    said.reverse();
    assert_eq!(read, said);
    // What is redacted keeps its place.
    let path = format!("/rooms/{}/redact/{}/gone", part(&id), said[3]);
    stand.bot()?.acting_for("@anna:hub.local").put(&path, json!({})).await?;
    let page = stand.appservice.before(&id, None, 7, None).await?;
    // The redaction itself may be among them.
    let places: Vec<_> = page.ids.iter().filter(|id| said.contains(id)).take(4).cloned().collect();
    assert_eq!(places, said[..4]);
    assert!(!messages(&page.events).contains(&said[3]));
    Ok(())
}

pub(crate) async fn a_room_is_read_on_from_a_position(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "forwards").await?;
    say(&stand, &id, 0..5).await?;
    let position = stand.appservice.changes(None, NO_WAIT).await?.next;
    assert_eq!(stand.appservice.after(&id, &position, 10).await?.events, []);
    let said = say(&stand, &id, 5..30).await?;
    let (mut read, mut from) = (Vec::new(), position.clone());
    loop {
        let page = stand.appservice.after(&id, &from, 10).await?;
        read.extend(messages(&page.events));
        match page.end {
            Some(end) => from = end,
            None => break,
        }
    }
    assert_eq!(read, said);
    Ok(())
}

pub(crate) async fn what_happened_since_a_position_comes_in_order(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "since").await?;
    let position = stand.appservice.changes(None, NO_WAIT).await?.next;
    let few = say(&stand, &id, 0..5).await?;
    let changes = stand.appservice.changes(Some(&position), NO_WAIT).await?;
    let room = changes.rooms.iter().find(|room| room.room == id).context("the room")?;
    assert!(!room.is_limited);
    assert_eq!(messages(&room.events), few);
    // The same position gives the same again, and more of it: nothing is used up by reading.
    let many = say(&stand, &id, 5..80).await?;
    let changes = stand.appservice.changes(Some(&changes.next), NO_WAIT).await?;
    let room = changes.rooms.iter().find(|room| room.room == id).context("the room")?;
    assert!(room.is_limited, "{} events", room.events.len());
    assert!(many.ends_with(&messages(&room.events)));
    let nothing = stand.appservice.changes(Some(&changes.next), NO_WAIT).await?;
    assert!(nothing.rooms.is_empty());
    Ok(())
}

pub(crate) async fn a_member_sees_who_made_a_room_when_and_under_which_alias(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "seen").await?;
    let path = format!("/rooms/{}/send/m.room.message/now", part(&id));
    let said = stand.bot()?.acting_for("@anna:hub.local").put(&path, text("now")).await?;
    let event = EventId::new(said["event_id"].as_str().context("an event id")?);
    let said_at = stand.appservice.event(&id, &event).await?.context("the event")?.timestamp;
    let seen = stand.appservice.summary(&id, &user("anna")).await?;
    assert_eq!((seen.made_by.as_str(), seen.alias.as_deref()), (BOT, Some("#hub_seen:hub.local")));
    assert_eq!((seen.name.as_deref(), seen.topic.as_deref()), (Some("Fräse 42"), Some("Halle 3")));
    let age = said_at.duration_since(seen.made_at);
    assert!(!age.is_negative() && age.as_secs() < 60, "{age:?}");
    let mut people: Vec<_> =
        seen.people.iter().map(|person| (person.id.as_str(), person.is_joined)).collect();
    people.sort_unstable();
    assert_eq!(people, [("@anna:hub.local", true), (BOT, true)]);
    let anna = stand.bot()?.acting_for("@anna:hub.local");
    let made = anna.post("/createRoom", json!({ "preset": "private_chat", "invite": [BOT] })).await?;
    let own = RoomId::new(made["room_id"].as_str().context("a room id")?);
    let seen = stand.appservice.summary(&own, &user("anna")).await?;
    assert_eq!((seen.made_by, seen.alias, seen.name, seen.is_space), (user("anna"), None, None, false));
    let space = json!({ "preset": "private_chat", "creation_content": { "type": "m.space" } });
    let made = anna.post("/createRoom", space).await?;
    let space = RoomId::new(made["room_id"].as_str().context("a room id")?);
    assert!(stand.appservice.summary(&space, &user("anna")).await?.is_space);
    Ok(())
}

pub(crate) async fn a_position_that_it_does_not_know_is_told(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "unknown").await?;
    say(&stand, &id, 0..60).await?;
    for position in ["nonsense", "s1-2-3", "of|another"] {
        let changes = stand.appservice.changes(Some(position), NO_WAIT).await;
        match changes {
            // Conduit begins at the beginning, and leaves something out.
            Ok(changes) => assert!(changes.rooms.iter().any(|room| room.room == id && room.is_limited)),
            refused => assert_eq!(failure(refused)?, Failure::UnknownPosition, "{position}"),
        }
        let after = stand.appservice.after(&id, position, 10).await;
        assert_eq!(failure(after)?, Failure::UnknownPosition, "{position}");
        let before = stand.appservice.before(&id, Some(position), 10, None).await;
        assert_eq!(failure(before)?, Failure::UnknownPosition, "{position}");
    }
    // What is refused for another reason is not the position's fault.
    let position = stand.appservice.changes(None, NO_WAIT).await?.next;
    let foreign = RoomId::new("!nowhere:hub.local");
    let after = stand.appservice.after(&foreign, &position, 10).await;
    assert_ne!(failure(after)?, Failure::UnknownPosition);
    Ok(())
}

pub(crate) async fn a_bot_that_was_put_out_is_told_so_and_let_in_again(stand: Stand) -> Result<()> {
    stand.appservice.ensure_user(&user("anna"), "Anna").await?;
    let anna = stand.bot()?.acting_for("@anna:hub.local");
    let made = anna.post("/createRoom", json!({ "preset": "private_chat", "room_version": "11" })).await?;
    let id = RoomId::new(made["room_id"].as_str().context("a room id")?);
    stand.appservice.enter(&id, &user("anna")).await?;
    let position = stand.appservice.changes(None, NO_WAIT).await?.next;
    let put_out = |how: &str| format!("/rooms/{}/{how}", part(&id));
    anna.post(&put_out("kick"), json!({ "user_id": BOT })).await?;
    let said = say(&stand, &id, 0..3).await?;
    let changes = stand.appservice.changes(Some(&position), NO_WAIT).await?;
    assert_eq!(changes.left, std::slice::from_ref(&id));
    stand.appservice.enter(&id, &user("anna")).await?;
    let missed = messages(&stand.appservice.after(&id, &position, 10).await?.events);
    // Conduit shows it to nobody who was out.
    assert!(missed == said || (stand.is_conduit() && missed.is_empty()), "{missed:?}");
    let later = stand.appservice.changes(Some(&changes.next), NO_WAIT).await?;
    assert_eq!(later.left, []);
    assert!(later.rooms.iter().any(|room| room.room == id), "from now on it hears what is said");
    // Who is banned is told so for good.
    anna.post(&put_out("ban"), json!({ "user_id": BOT })).await?;
    assert_eq!(stand.appservice.changes(Some(&later.next), NO_WAIT).await?.left, std::slice::from_ref(&id));
    assert_eq!(failure(stand.appservice.enter(&id, &user("anna")).await)?, Failure::Rejected);
    Ok(())
}

pub(crate) async fn a_waiting_reader_is_told_at_once(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "waits").await?;
    let position = stand.appservice.changes(None, NO_WAIT).await?.next;
    let waiting = stand.appservice.clone();
    let waiter = tokio::spawn(async move {
        // Conduit also returns for what does not concern us.
        let mut position = position;
        loop {
            let changes = waiting.changes(Some(&position), Duration::from_secs(20)).await?;
            if let Some(room) = changes.rooms.into_iter().find(|room| !room.events.is_empty()) {
                return Ok::<_, messenger_core::Error>(room.events);
            }
            position = changes.next;
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let said = say(&stand, &id, 0..1).await?;
    let events = tokio::time::timeout(Duration::from_secs(10), waiter).await???;
    assert_eq!(messages(&events), said);
    Ok(())
}

pub(crate) async fn edits_reactions_redactions_and_names_are_read(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "changes").await?;
    let position = stand.appservice.changes(None, NO_WAIT).await?.next;
    let said = say(&stand, &id, 0..2).await?;
    let (first, second) = (&said[0], &said[1]);
    let anna = stand.bot()?.acting_for("@anna:hub.local");
    let send = |kind: &str, n: u32| format!("/rooms/{}/send/{kind}/x{n}", part(&id));
    let replace = json!({
        "msgtype": "m.text", "body": "* better", "m.new_content": { "msgtype": "m.text", "body": "better" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": first },
    });
    let edit = anna.put(&send("m.room.message", 1), replace).await?;
    let react = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": first, "key": "👍" } });
    anna.put(&send("m.reaction", 2), react).await?;
    let away = format!("/rooms/{}/redact/{}/x3", part(&id), second.as_str().replace('$', "%24"));
    anna.put(&away, json!({})).await?;
    stand.bot()?.put(&format!("/rooms/{}/state/m.room.name", part(&id)), json!({ "name": "Neu" })).await?;

    let events = stand.appservice.after(&id, &position, 20).await?.events;
    let contents: Vec<_> = events.into_iter().map(|event| event.content).collect();
    assert!(contents.iter().any(|content| matches!(content,
        Content::Edited { of, said } if of == first && said.body == "better")));
    assert!(contents.contains(&Content::Reaction { of: first.clone(), key: "👍".to_owned() }));
    assert!(contents.contains(&Content::Redacted { of: second.clone() }));
    assert!(contents.contains(&Content::Named("Neu".to_owned())));
    let left: Vec<_> = contents.iter().filter(|content| matches!(content, Content::Message(_))).collect();
    assert_eq!(left.len(), 1, "what was redacted says nothing: {left:?}");
    // A message is what it was at first, whatever the homeserver says along with it of its edits.
    let as_first = Content::Message(MessageContent::text("message 0", "m.text"));
    let event = stand.appservice.event(&id, first).await?.context("the message")?;
    assert_eq!(event.content, as_first);
    assert!(event.edited.is_none_or(|edited| edited.body == "better"));
    let edit = edit["event_id"].as_str().context("an event id")?.replace('$', "%24");
    anna.put(&format!("/rooms/{}/redact/{edit}/x4", part(&id)), json!({})).await?;
    let event = stand.appservice.event(&id, first).await?.context("the message")?;
    assert_eq!((event.content, event.edited), (as_first, None));
    Ok(())
}

/// Both servers take it, and tell it together with the others.
pub(crate) async fn an_event_that_is_nested_deeply_hides_no_other(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "deep").await?;
    let position = stand.appservice.changes(None, NO_WAIT).await?.next;
    let deep = (0..123).fold(json!("deep"), |inner, _| json!({ "a": inner }));
    let content = json!({ "msgtype": "m.text", "body": "deep", "a": deep });
    let path = format!("/rooms/{}/send/m.room.message/deep", part(&id));
    let sent = stand.bot()?.acting_for("@anna:hub.local").put(&path, content).await?;
    let sent = EventId::new(sent["event_id"].as_str().context("an event id")?);
    let said = say(&stand, &id, 0..1).await?;
    let changes = stand.appservice.changes(Some(&position), NO_WAIT).await?;
    let heard = changes.rooms.iter().find(|room| room.room == id).context("the room")?;
    let after = stand.appservice.after(&id, &position, 10).await?;
    let mut before = stand.appservice.before(&id, None, 10, None).await?.events;
    before.reverse();
    for events in [&heard.events, &after.events, &before] {
        assert!(messages(events).ends_with(&said), "{events:?}");
    }
    stand.appservice.event(&id, &sent).await?;
    // So does what is nested in a room's state.
    let path = format!("/rooms/{}/state/com.example.deep", part(&id));
    stand.bot()?.put(&path, json!({ "a": deep })).await?;
    assert_eq!(stand.appservice.summary(&id, &user("anna")).await?.people.len(), 2);
    Ok(())
}

/// However much else stands between them. Conduit heeds no filter.
pub(crate) async fn messages_are_read_without_what_stands_between_them(stand: Stand) -> Result<()> {
    let id = with_anna(&stand, "between").await?;
    let mut said = say(&stand, &id, 0..2).await?;
    for n in 0..30 {
        let path = format!("/rooms/{}/state/m.room.topic", part(&id));
        stand.bot()?.put(&path, json!({ "topic": n.to_string() })).await?;
    }
    said.extend(say(&stand, &id, 2..4).await?);
    said.reverse();
    let (mut read, mut from, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = stand.appservice.before(&id, from.as_deref(), 3, None).await?;
        read.extend(messages(&page.events));
        pages += 1;
        match page.end {
            Some(end) => from = Some(end),
            None => break,
        }
    }
    assert_eq!(read, said);
    assert!(stand.is_conduit() || pages <= 3, "{pages} pages");
    let all = stand.appservice.all_before(&id, None, 20).await?.events;
    assert!(all.iter().any(|event| matches!(event.content, Content::Topic(_))));
    Ok(())
}
