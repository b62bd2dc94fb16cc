//! Receipts of other clients, and the events that they name.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use messenger_core::{
    id::{EventId, RoomId},
    port::{MembershipCalls, RoomAdministration, Timeline},
    receipt::Receipt,
    room_event::{Content, RoomEvent},
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    client::Client,
    fixture::{Fixture, room, segment, text, user},
};

/// A time limit for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Creates a room with Bert, who uses another client.
async fn with_bert(fixture: &Fixture) -> Result<(RoomId, Client)> {
    let bert = fixture.person("bert").await?;
    let id = fixture.appservice.create_room(&room("receipts")).await?;
    fixture.appservice.join(&id, &user("bert")).await?;
    Ok((id, bert))
}

fn escaped(event: &EventId) -> String {
    event.as_str().replace('$', "%24")
}

/// Tested with public receipts: private ones of other users are in no `/sync`.
pub(crate) async fn a_receipt_of_another_client_is_received(fixture: Fixture) -> Result<()> {
    let (id, bert) = with_bert(&fixture).await?;
    let first = fixture.appservice.send(&id, "n1", &text("one")).await?;
    let second = fixture.appservice.send(&id, "n2", &text("two")).await?;
    let mut position = fixture.appservice.changes(None, Duration::ZERO).await?.next;
    let marker = json!({ "m.read": second, "m.fully_read": second });
    for (event, path, body) in [
        (&first, format!("receipt/m.read/{}", escaped(&first)), json!({})),
        (&second, "read_markers".to_owned(), marker),
    ] {
        bert.post(&format!("/rooms/{}/{path}", segment(&id)), body).await?;
        let start = Instant::now();
        let receipts = loop {
            let changes = fixture.appservice.changes(Some(&position), PATIENCE).await?;
            position = changes.next;
            if !changes.receipts.is_empty() {
                break changes.receipts;
            }
            ensure!(start.elapsed() < PATIENCE, "no receipt was received");
        };
        let expected = Receipt { room: id.clone(), user: user("bert"), event: event.clone() };
        assert_eq!(receipts, [expected]);
    }
    Ok(())
}

/// The service does not use events of the type `m.room.avatar` otherwise.
pub(crate) async fn the_events_before_an_event_are_returned(fixture: Fixture) -> Result<()> {
    let (id, _) = with_bert(&fixture).await?;
    let mut events = Vec::new();
    for n in 0..5 {
        events.push(fixture.appservice.send(&id, &format!("n{n}"), &text("x")).await?);
    }
    let path = format!("/rooms/{}/state/m.room.avatar", segment(&id));
    let avatar = fixture.bot()?.put(&path, json!({ "url": "mxc://hub.local/a" })).await?;
    events.push(EventId::new(avatar["event_id"].as_str().context("an event id")?));
    fixture.appservice.send(&id, "after", &text("after")).await?;
    events.reverse();
    let found = fixture.appservice.up_to(&id, &events[0], 4).await?;
    assert_eq!(found[..5], events[..5]);
    for unknown in ["$nothing", "$nothing:hub.local"] {
        assert_eq!(fixture.appservice.up_to(&id, &EventId::new(unknown), 4).await?, []);
    }
    Ok(())
}

/// The time is the latest that both homeservers accept.
pub(crate) async fn a_message_with_a_far_future_time_is_parsed(fixture: Fixture) -> Result<()> {
    let (id, _) = with_bert(&fixture).await?;
    let position = fixture.appservice.changes(None, Duration::ZERO).await?.next;
    let path = format!("/rooms/{}/send/m.room.message/future?ts=9007199254740991", segment(&id));
    let sent = fixture.bot()?.put(&path, text("from the future")).await?;
    let event = EventId::new(sent["event_id"].as_str().context("an event id")?);
    let changes = fixture.appservice.changes(Some(&position), PATIENCE).await?;
    let synced = changes.rooms.into_iter().flat_map(|room| room.events).collect::<Vec<_>>();
    let page = fixture.appservice.before(&id, None, 10, None).await?.events;
    let alone = fixture.appservice.event(&id, &event).await?;
    let find = |events: Vec<RoomEvent>| events.into_iter().find(|one| one.event_id == event);
    for found in [find(synced), find(page), alone] {
        let found = found.context("the event is there")?;
        let last = Timestamp::from_second(Timestamp::MAX.as_second())?;
        assert_eq!(found.timestamp, last, "the latest time that can be shown");
        assert!(matches!(found.content, Content::Message(message) if message.body == "from the future"));
    }
    Ok(())
}
