//! Receipts of other clients, and events with strange times.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use messenger_core::{
    id::{EventId, RoomId},
    port::{Homeserver, Timeline},
    receipt::Receipt,
    room_event::{Content, RoomEvent},
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    client::Client,
    stand::{Stand, part, room, text, user},
};

/// A time limit for a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A room with Bert, who has an ordinary client.
async fn with_bert(stand: &Stand) -> Result<(RoomId, Client)> {
    let bert = stand.person("bert").await?;
    let id = stand.appservice.create_room(&room("receipts")).await?;
    stand.appservice.join(&id, &user("bert")).await?;
    Ok((id, bert))
}

fn escaped(event: &EventId) -> String {
    event.as_str().replace('$', "%24")
}

/// Public ones: another user's private receipts are shown to nobody, and Synapse pushes them only.
pub(crate) async fn what_is_read_elsewhere_is_told(stand: Stand) -> Result<()> {
    let (id, bert) = with_bert(&stand).await?;
    let first = stand.appservice.send(&id, "n1", &text("one")).await?;
    let second = stand.appservice.send(&id, "n2", &text("two")).await?;
    let mut position = stand.appservice.changes(None, Duration::ZERO).await?.next;
    let marker = json!({ "m.read": second, "m.fully_read": second });
    for (event, path, body) in [
        (&first, format!("receipt/m.read/{}", escaped(&first)), json!({})),
        (&second, "read_markers".to_owned(), marker),
    ] {
        bert.post(&format!("/rooms/{}/{path}", part(&id)), body).await?;
        let start = Instant::now();
        let receipts = loop {
            let changes = stand.appservice.changes(Some(&position), PATIENCE).await?;
            position = changes.next;
            if !changes.receipts.is_empty() {
                break changes.receipts;
            }
            ensure!(start.elapsed() < PATIENCE, "no receipt is told");
        };
        let expected = Receipt { room: id.clone(), user: user("bert"), event: event.clone() };
        assert_eq!(receipts, [expected]);
    }
    Ok(())
}

/// Also an event that concerns us in no other way.
pub(crate) async fn the_events_before_an_event_are_known(stand: Stand) -> Result<()> {
    let (id, _) = with_bert(&stand).await?;
    let mut events = Vec::new();
    for n in 0..5 {
        events.push(stand.appservice.send(&id, &format!("n{n}"), &text("x")).await?);
    }
    let path = format!("/rooms/{}/state/m.room.avatar", part(&id));
    let avatar = stand.bot()?.put(&path, json!({ "url": "mxc://hub.local/a" })).await?;
    events.push(EventId::new(avatar["event_id"].as_str().context("an event id")?));
    stand.appservice.send(&id, "after", &text("after")).await?;
    events.reverse();
    let found = stand.appservice.up_to(&id, &events[0], 4).await?;
    assert_eq!(found[..5], events[..5]);
    for unknown in ["$nothing", "$nothing:hub.local"] {
        assert_eq!(stand.appservice.up_to(&id, &EventId::new(unknown), 4).await?, []);
    }
    Ok(())
}

/// The latest time that both homeservers take.
pub(crate) async fn a_message_from_the_far_future_is_read(stand: Stand) -> Result<()> {
    let (id, _) = with_bert(&stand).await?;
    let position = stand.appservice.changes(None, Duration::ZERO).await?.next;
    let path = format!("/rooms/{}/send/m.room.message/future?ts=9007199254740991", part(&id));
    let sent = stand.bot()?.put(&path, text("from the future")).await?;
    let event = EventId::new(sent["event_id"].as_str().context("an event id")?);
    let changes = stand.appservice.changes(Some(&position), PATIENCE).await?;
    let told = changes.rooms.into_iter().flat_map(|room| room.events).collect::<Vec<_>>();
    let page = stand.appservice.before(&id, None, 10, None).await?.events;
    let alone = stand.appservice.event(&id, &event).await?;
    let find = |events: Vec<RoomEvent>| events.into_iter().find(|one| one.event_id == event);
    for found in [find(told), find(page), alone] {
        let found = found.context("the event is there")?;
        let last = Timestamp::from_second(Timestamp::MAX.as_second())?;
        assert_eq!(found.timestamp, last, "the nearest time that can be shown");
        assert!(matches!(found.content, Content::Message(said) if said.body == "from the future"));
    }
    Ok(())
}
