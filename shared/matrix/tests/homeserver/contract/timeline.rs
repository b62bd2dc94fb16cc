//! Timelines: sending for users, pages of messages, and changes since a sync token.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use messenger_core::{
    error::Failure,
    id::{EventId, RoomId},
    message::MessageContent,
    port::{Accounts, MembershipCalls, RoomAdministration, Timeline},
    room_event::{Content, RoomEvent},
};
use serde_json::json;

use crate::fixture::{BOT, Fixture, failure, room, segment, text, user};

const NO_WAIT: Duration = Duration::ZERO;

/// Creates a room with Anna.
async fn with_anna(fixture: &Fixture, alias: &str) -> Result<RoomId> {
    let id = fixture.appservice.create_room(&room(alias)).await?;
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    fixture.appservice.join(&id, &user("anna")).await?;
    Ok(id)
}

/// The time of each message, independent of when it is sent.
pub(super) fn at() -> Timestamp {
    Timestamp::from_millisecond(1_760_000_000_123).unwrap_or_default()
}

/// Sends numbered messages as Anna. Returns their ids.
async fn send_messages(
    fixture: &Fixture,
    id: &RoomId,
    numbers: std::ops::Range<u32>,
) -> Result<Vec<EventId>> {
    let mut events = Vec::new();
    for n in numbers {
        let transaction = format!("message.{n}");
        let content = text(&format!("message {n}"));
        events.push(fixture.appservice.send_as(id, &user("anna"), &transaction, at(), &content).await?);
    }
    Ok(events)
}

fn messages(events: &[RoomEvent]) -> Vec<EventId> {
    let messages = events.iter().filter(|event| matches!(event.content, Content::Message(_)));
    messages.map(|event| event.event_id.clone()).collect()
}

pub(crate) async fn a_user_sends_a_message_once_even_after_a_restart(mut fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "once").await?;
    let first = fixture.appservice.send_as(&id, &user("anna"), "t1", at(), &text("one")).await?;
    assert_eq!(fixture.appservice.send_as(&id, &user("anna"), "t1", at(), &text("one")).await?, first);
    fixture.server.stop().await;
    fixture.server.start_again().await?;
    assert_eq!(fixture.appservice.send_as(&id, &user("anna"), "t1", at(), &text("one")).await?, first);
    let event = fixture.appservice.event(&id, &first).await?.context("the event")?;
    assert_eq!((event.sender, event.event_id, event.timestamp), (user("anna"), first, at()));
    assert_eq!(fixture.appservice.event(&id, &EventId::new("$nothing")).await?, None);
    Ok(())
}

pub(crate) async fn a_room_is_read_backwards_to_its_beginning(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "backwards").await?;
    let mut sent = send_messages(&fixture, &id, 0..25).await?;
    let (mut read, mut from) = (Vec::new(), None);
    loop {
        let page = fixture.appservice.before(&id, from.as_deref(), 7, None).await?;
        if from.is_none() {
            // A page can be read again by its start.
            let again = fixture.appservice.before(&id, Some(&page.start), 7, None).await?;
            assert_eq!(messages(&again.events), messages(&page.events));
        }
        read.extend(messages(&page.events));
        match page.end {
            Some(end) => from = Some(end),
            None => break,
        }
    }
    sent.reverse();
    assert_eq!(read, sent);
    // A redacted event keeps its position.
    let path = format!("/rooms/{}/redact/{}/gone", segment(&id), sent[3]);
    fixture.bot()?.acting_for("@anna:hub.local").put(&path, json!({})).await?;
    let page = fixture.appservice.before(&id, None, 7, None).await?;
    // The redaction itself may be among them.
    let ids: Vec<_> = page.ids.iter().filter(|id| sent.contains(id)).take(4).cloned().collect();
    assert_eq!(ids, sent[..4]);
    assert!(!messages(&page.events).contains(&sent[3]));
    Ok(())
}

pub(crate) async fn a_room_is_read_forwards_from_a_sync_token(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "forwards").await?;
    send_messages(&fixture, &id, 0..5).await?;
    let position = fixture.appservice.changes(None, NO_WAIT).await?.next;
    assert_eq!(fixture.appservice.after(&id, &position, 10).await?.events, []);
    let sent = send_messages(&fixture, &id, 5..30).await?;
    let (mut read, mut from) = (Vec::new(), position.clone());
    loop {
        let page = fixture.appservice.after(&id, &from, 10).await?;
        read.extend(messages(&page.events));
        match page.end {
            Some(end) => from = end,
            None => break,
        }
    }
    assert_eq!(read, sent);
    Ok(())
}

pub(crate) async fn a_room_is_read_in_both_directions_around_an_event(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "around").await?;
    let sent = send_messages(&fixture, &id, 0..21).await?;
    let anna = user("anna");
    for reader in [None, Some(&anna)] {
        let found = fixture.appservice.around(&id, &sent[10], 4, reader).await?.context("the event")?;
        let mut read = messages(&found.events);
        assert!(read.contains(&sent[10]) && read.len() >= 3, "{read:?}");
        let mut from = found.later;
        loop {
            let page = fixture.appservice.later(&id, &from, 3, reader).await?;
            read.splice(0..0, messages(&page.events).into_iter().rev());
            match page.end {
                Some(end) => from = end,
                None => break,
            }
        }
        let mut from = Some(found.before);
        while let Some(token) = from {
            let page = fixture.appservice.before(&id, Some(&token), 3, reader).await?;
            read.extend(messages(&page.events));
            from = page.end;
        }
        read.reverse();
        assert_eq!(read, sent, "each once, and in order");
    }
    let nowhere = fixture.appservice.around(&id, &EventId::new("$nothing"), 4, None).await?;
    assert_eq!(nowhere, None);
    Ok(())
}

pub(crate) async fn changes_since_a_sync_token_are_in_order(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "since").await?;
    let position = fixture.appservice.changes(None, NO_WAIT).await?.next;
    let few = send_messages(&fixture, &id, 0..5).await?;
    let changes = fixture.appservice.changes(Some(&position), NO_WAIT).await?;
    let room = changes.rooms.iter().find(|room| room.room == id).context("the room")?;
    assert!(!room.is_limited);
    assert_eq!(messages(&room.events), few);
    // More events than the limit make the timeline limited.
    let many = send_messages(&fixture, &id, 5..80).await?;
    let changes = fixture.appservice.changes(Some(&changes.next), NO_WAIT).await?;
    let room = changes.rooms.iter().find(|room| room.room == id).context("the room")?;
    assert!(room.is_limited, "{} events", room.events.len());
    assert!(many.ends_with(&messages(&room.events)));
    let nothing = fixture.appservice.changes(Some(&changes.next), NO_WAIT).await?;
    assert!(nothing.rooms.is_empty());
    Ok(())
}

pub(crate) async fn a_room_summary_has_creator_time_alias_and_members(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "summary").await?;
    let path = format!("/rooms/{}/send/m.room.message/now", segment(&id));
    let sent = fixture.bot()?.acting_for("@anna:hub.local").put(&path, text("now")).await?;
    let event = EventId::new(sent["event_id"].as_str().context("an event id")?);
    let sent_at = fixture.appservice.event(&id, &event).await?.context("the event")?.timestamp;
    let summary = fixture.appservice.summary(&id, &user("anna")).await?;
    assert_eq!((summary.made_by.as_str(), summary.alias.as_deref()), (BOT, Some("#hub_summary:hub.local")));
    assert_eq!((summary.name.as_deref(), summary.topic.as_deref()), (Some("Fräse 42"), Some("Halle 3")));
    let age = sent_at.duration_since(summary.made_at);
    assert!(!age.is_negative() && age.as_secs() < 60, "{age:?}");
    let mut people: Vec<_> =
        summary.people.iter().map(|person| (person.id.as_str(), person.is_joined)).collect();
    people.sort_unstable();
    assert_eq!(people, [("@anna:hub.local", true), (BOT, true)]);
    let anna = fixture.bot()?.acting_for("@anna:hub.local");
    let made = anna.post("/createRoom", json!({ "preset": "private_chat", "invite": [BOT] })).await?;
    let own = RoomId::new(made["room_id"].as_str().context("a room id")?);
    let summary = fixture.appservice.summary(&own, &user("anna")).await?;
    assert_eq!(
        (summary.made_by, summary.alias, summary.name, summary.is_space),
        (user("anna"), None, None, false)
    );
    let space = json!({ "preset": "private_chat", "creation_content": { "type": "m.space" } });
    let made = anna.post("/createRoom", space).await?;
    let space = RoomId::new(made["room_id"].as_str().context("a room id")?);
    assert!(fixture.appservice.summary(&space, &user("anna")).await?.is_space);
    Ok(())
}

pub(crate) async fn an_unknown_sync_token_is_reported(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "unknown").await?;
    send_messages(&fixture, &id, 0..60).await?;
    for position in ["nonsense", "s1-2-3", "of|another"] {
        let changes = fixture.appservice.changes(Some(position), NO_WAIT).await;
        match changes {
            // Conduit starts from the beginning, with a limited timeline.
            Ok(changes) => assert!(changes.rooms.iter().any(|room| room.room == id && room.is_limited)),
            refused => assert_eq!(failure(refused)?, Failure::UnknownToken, "{position}"),
        }
        let after = fixture.appservice.after(&id, position, 10).await;
        assert_eq!(failure(after)?, Failure::UnknownToken, "{position}");
        let before = fixture.appservice.before(&id, Some(position), 10, None).await;
        assert_eq!(failure(before)?, Failure::UnknownToken, "{position}");
    }
    // A refusal for another reason is not an unknown position.
    let position = fixture.appservice.changes(None, NO_WAIT).await?.next;
    let foreign = RoomId::new("!nowhere:hub.local");
    let after = fixture.appservice.after(&foreign, &position, 10).await;
    assert_ne!(failure(after)?, Failure::UnknownToken);
    Ok(())
}

pub(crate) async fn a_removed_bot_is_reported_and_can_rejoin(fixture: Fixture) -> Result<()> {
    fixture.appservice.ensure_user(&user("anna"), "Anna").await?;
    let anna = fixture.bot()?.acting_for("@anna:hub.local");
    let made = anna.post("/createRoom", json!({ "preset": "private_chat", "room_version": "11" })).await?;
    let id = RoomId::new(made["room_id"].as_str().context("a room id")?);
    fixture.appservice.enter(&id, &user("anna")).await?;
    let position = fixture.appservice.changes(None, NO_WAIT).await?.next;
    let path = |endpoint: &str| format!("/rooms/{}/{endpoint}", segment(&id));
    anna.post(&path("kick"), json!({ "user_id": BOT })).await?;
    let sent = send_messages(&fixture, &id, 0..3).await?;
    let changes = fixture.appservice.changes(Some(&position), NO_WAIT).await?;
    assert_eq!(changes.left, std::slice::from_ref(&id));
    fixture.appservice.enter(&id, &user("anna")).await?;
    let missed = messages(&fixture.appservice.after(&id, &position, 10).await?.events);
    // Conduit hides events from users who were not in the room.
    assert!(missed == sent || (fixture.is_conduit() && missed.is_empty()), "{missed:?}");
    let later = fixture.appservice.changes(Some(&changes.next), NO_WAIT).await?;
    assert_eq!(later.left, []);
    assert!(later.rooms.iter().any(|room| room.room == id), "a bot in the room receives its events");
    // A banned bot is reported, too, and cannot return.
    anna.post(&path("ban"), json!({ "user_id": BOT })).await?;
    assert_eq!(fixture.appservice.changes(Some(&later.next), NO_WAIT).await?.left, std::slice::from_ref(&id));
    assert_eq!(failure(fixture.appservice.enter(&id, &user("anna")).await)?, Failure::Rejected);
    Ok(())
}

pub(crate) async fn a_waiting_sync_returns_at_once(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "waits").await?;
    let position = fixture.appservice.changes(None, NO_WAIT).await?.next;
    let waiting = fixture.appservice.clone();
    let waiter = tokio::spawn(async move {
        // Conduit also returns for events that the service does not use.
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
    let sent = send_messages(&fixture, &id, 0..1).await?;
    let events = tokio::time::timeout(Duration::from_mins(1), waiter).await???;
    assert_eq!(messages(&events), sent);
    Ok(())
}

pub(crate) async fn edits_reactions_redactions_and_names_are_parsed(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "changes").await?;
    let position = fixture.appservice.changes(None, NO_WAIT).await?.next;
    let sent = send_messages(&fixture, &id, 0..2).await?;
    let (first, second) = (&sent[0], &sent[1]);
    let anna = fixture.bot()?.acting_for("@anna:hub.local");
    let path = |kind: &str, n: u32| format!("/rooms/{}/send/{kind}/x{n}", segment(&id));
    let replace = json!({
        "msgtype": "m.text", "body": "* better", "m.new_content": { "msgtype": "m.text", "body": "better" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": first },
    });
    let edit = anna.put(&path("m.room.message", 1), replace).await?;
    let react = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": first, "key": "👍" } });
    anna.put(&path("m.reaction", 2), react).await?;
    let redaction = format!("/rooms/{}/redact/{}/x3", segment(&id), second.as_str().replace('$', "%24"));
    anna.put(&redaction, json!({})).await?;
    fixture
        .bot()?
        .put(&format!("/rooms/{}/state/m.room.name", segment(&id)), json!({ "name": "Neu" }))
        .await?;

    let events = fixture.appservice.after(&id, &position, 20).await?.events;
    let contents: Vec<_> = events.into_iter().map(|event| event.content).collect();
    assert!(contents.iter().any(|content| matches!(content,
        Content::Edited { of, content } if of == first && content.body == "better")));
    assert!(contents.contains(&Content::Reaction { of: first.clone(), key: "👍".to_owned() }));
    assert!(contents.contains(&Content::Redacted { of: second.clone() }));
    assert!(contents.contains(&Content::Named("Neu".to_owned())));
    let left: Vec<_> = contents.iter().filter(|content| matches!(content, Content::Message(_))).collect();
    assert_eq!(left.len(), 1, "the redacted message is skipped: {left:?}");
    // `content` is the original; the bundled edit is in `edited`.
    let as_first = Content::Message(MessageContent::text("message 0", "m.text"));
    let event = fixture.appservice.event(&id, first).await?.context("the message")?;
    assert_eq!(event.content, as_first);
    assert!(event.edited.is_none_or(|edited| edited.body == "better"));
    let edit = edit["event_id"].as_str().context("an event id")?.replace('$', "%24");
    anna.put(&format!("/rooms/{}/redact/{edit}/x4", segment(&id)), json!({})).await?;
    let event = fixture.appservice.event(&id, first).await?.context("the message")?;
    assert_eq!((event.content, event.edited), (as_first, None));
    Ok(())
}

/// Both servers accept it, and return it together with others.
pub(crate) async fn a_deeply_nested_event_does_not_hide_others(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "deep").await?;
    let position = fixture.appservice.changes(None, NO_WAIT).await?.next;
    let deep = (0..123).fold(json!("deep"), |inner, _| json!({ "a": inner }));
    let content = json!({ "msgtype": "m.text", "body": "deep", "a": deep });
    let path = format!("/rooms/{}/send/m.room.message/deep", segment(&id));
    let response = fixture.bot()?.acting_for("@anna:hub.local").put(&path, content).await?;
    let nested = EventId::new(response["event_id"].as_str().context("an event id")?);
    let sent = send_messages(&fixture, &id, 0..1).await?;
    let changes = fixture.appservice.changes(Some(&position), NO_WAIT).await?;
    let synced = changes.rooms.iter().find(|room| room.room == id).context("the room")?;
    let after = fixture.appservice.after(&id, &position, 10).await?;
    let mut before = fixture.appservice.before(&id, None, 10, None).await?.events;
    before.reverse();
    for events in [&synced.events, &after.events, &before] {
        assert!(messages(events).ends_with(&sent), "{events:?}");
    }
    fixture.appservice.event(&id, &nested).await?;
    // A deeply nested state event does not hide others, either.
    let path = format!("/rooms/{}/state/com.example.deep", segment(&id));
    fixture.bot()?.put(&path, json!({ "a": deep })).await?;
    assert_eq!(fixture.appservice.summary(&id, &user("anna")).await?.people.len(), 2);
    Ok(())
}

/// Conduit ignores the filter, so that its pages contain the other events.
pub(crate) async fn messages_are_read_without_other_events_between_them(fixture: Fixture) -> Result<()> {
    let id = with_anna(&fixture, "between").await?;
    let mut sent = send_messages(&fixture, &id, 0..2).await?;
    for n in 0..30 {
        let path = format!("/rooms/{}/state/m.room.topic", segment(&id));
        fixture.bot()?.put(&path, json!({ "topic": n.to_string() })).await?;
    }
    sent.extend(send_messages(&fixture, &id, 2..4).await?);
    sent.reverse();
    let (mut read, mut from, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = fixture.appservice.before(&id, from.as_deref(), 3, None).await?;
        read.extend(messages(&page.events));
        pages += 1;
        match page.end {
            Some(end) => from = Some(end),
            None => break,
        }
    }
    assert_eq!(read, sent);
    assert!(fixture.is_conduit() || pages <= 3, "{pages} pages");
    let all = fixture.appservice.all_before(&id, None, 20).await?.events;
    assert!(all.iter().any(|event| matches!(event.content, Content::Topic(_))));
    Ok(())
}
