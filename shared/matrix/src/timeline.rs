//! Timelines of rooms: sending, pages of events, and `/sync` of the bot.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    id::{EventId, MatrixUserId, RoomId},
    port::{Changes, RoomChanges, Surroundings, Timeline, TimelinePage},
    room_event::RoomEvent,
};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    Appservice,
    device::Device,
    error::Context,
    wire::{
        MESSAGE_TYPES, parse_event, parse_or_skip, parse_receipts, parse_typing,
        sync::{Invited, Joined, Sync},
    },
};

/// The time limit for sending a message. It is long, because a homeserver that is interrupted may have stored
/// the message without the transaction id that prevents a second copy.
const SEND_TIMEOUT: Duration = Duration::from_secs(25);
/// The time that the response to `/sync` may take beyond its long-polling timeout.
const SYNC_MARGIN: Duration = Duration::from_secs(20);
/// Most events of a room in one response to `/sync`. Conduit uses its own number. Further events are read by
/// page.
const TIMELINE_LIMIT: u32 = 50;

#[derive(Deserialize)]
struct Messages {
    #[serde(default)]
    chunk: Vec<Box<RawValue>>,
    start: String,
    end: Option<String>,
}

#[derive(Deserialize)]
struct EventContext {
    #[serde(default)]
    events_before: Vec<Box<RawValue>>,
    event: Option<Box<RawValue>>,
    #[serde(default)]
    events_after: Vec<Box<RawValue>>,
    start: String,
    end: String,
}

/// The parameters of `/messages`.
struct PageRequest<'a> {
    direction: &'static str,
    from: Option<&'a str>,
    limit: u32,
    filter: Option<&'a str>,
}

/// The response to a sent event.
#[derive(Deserialize)]
pub(crate) struct SentEvent {
    pub(crate) event_id: EventId,
}

#[async_trait]
impl Timeline for Appservice {
    async fn send(&self, room: &RoomId, transaction: &str, content: &Value) -> Result<EventId> {
        let call = self.http.put().at("rooms").at(room).at("send").at("m.room.message").at(transaction);
        let call = call.by(&self.bot).body(content).timeout(SEND_TIMEOUT);
        let sent: SentEvent = call.send().await.context("sending a message")?;
        Ok(sent.event_id)
    }

    async fn send_as(
        &self,
        room: &RoomId,
        sender: &MatrixUserId,
        transaction: &str,
        at: Timestamp,
        content: &Value,
    ) -> Result<EventId> {
        let call = self.http.put().at("rooms").at(room).at("send").at("m.room.message").at(transaction);
        // Specification, Application Service API, "Timestamp massaging".
        let at = at.as_millisecond().to_string();
        let call = call.by(sender).query("ts", &at).body(content);
        let sent: SentEvent = call.send().await.context("sending a message")?;
        Ok(sent.event_id)
    }

    async fn before(
        &self,
        room: &RoomId,
        from: Option<&str>,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<TimelinePage> {
        let filter = messages_filter();
        let request = PageRequest { direction: "b", from, limit, filter: Some(&filter) };
        let (device, user) = self.reader_of(reader);
        self.page_by(&device, user, room, request).await
    }

    async fn later(
        &self,
        room: &RoomId,
        from: &str,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<TimelinePage> {
        let filter = messages_filter();
        let request = PageRequest { direction: "f", from: Some(from), limit, filter: Some(&filter) };
        let (device, user) = self.reader_of(reader);
        self.page_by(&device, user, room, request).await
    }

    async fn around(
        &self,
        room: &RoomId,
        event: &EventId,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<Option<Surroundings>> {
        let (filter, limit) = (messages_filter(), limit.to_string());
        let call = |http| {
            let call = crate::call::Http::get(http).at("rooms").at(room).at("context").at(event);
            call.query("limit", &limit).query("filter", &filter)
        };
        let (device, user) = self.reader_of(reader);
        let context: EventContext = match device.read(&self.http, user, call).await {
            // The homeserver does not distinguish a hidden event from an unknown one.
            Err(cause) if cause.is_rejected() => return Ok(None),
            context => context.context("reading the events around an event")?,
        };
        let later = context.events_after.iter().rev();
        let events = later.chain(&context.event).chain(&context.events_before);
        let events = events.filter_map(|event| parse_event(event, Some(room))).collect();
        Ok(Some(Surroundings { events, before: context.start, later: context.end }))
    }

    async fn all_before(&self, room: &RoomId, from: Option<&str>, limit: u32) -> Result<TimelinePage> {
        self.page(room, PageRequest { direction: "b", from, limit, filter: None }).await
    }

    async fn after(&self, room: &RoomId, from: &str, limit: u32) -> Result<TimelinePage> {
        self.page(room, PageRequest { direction: "f", from: Some(from), limit, filter: None }).await
    }

    async fn event(&self, room: &RoomId, event: &EventId) -> Result<Option<RoomEvent>> {
        let call = self.http.get().at("rooms").at(room).at("event").at(event).by(&self.bot);
        match call.send::<Box<RawValue>>().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            event => Ok(parse_event(&event.context("reading an event")?, Some(room))),
        }
    }

    async fn up_to(&self, room: &RoomId, event: &EventId, limit: u32) -> Result<Vec<EventId>> {
        // Half of the limit is for events after this one.
        let limit = limit.saturating_mul(2).to_string();
        let call = |http| {
            let call = crate::call::Http::get(http).at("rooms").at(room).at("context").at(event);
            call.query("limit", &limit)
        };
        let context: EventContext = match self.reader.read(&self.http, &self.bot, call).await {
            Err(cause) if cause.is_rejected() => return Ok(Vec::new()),
            context => context.context("reading the events before an event")?,
        };
        Ok(std::iter::once(event.clone()).chain(event_ids(&context.events_before)).collect())
    }

    async fn changes(&self, since: Option<&str>, timeout: Duration) -> Result<Changes> {
        let nothing = json!({ "not_types": ["*"] });
        let filter = json!({
            "presence": nothing,
            "account_data": nothing,
            "room": {
                "account_data": nothing,
                "ephemeral": { "types": ["m.typing", "m.receipt"] },
                "state": nothing,
                "timeline": { "limit": TIMELINE_LIMIT },
            },
        })
        .to_string();
        let milliseconds = timeout.as_millis().to_string();
        let call = |http| {
            let call = crate::call::Http::get(http).at("sync").timeout(timeout + SYNC_MARGIN);
            let call = call
                .query("timeout", &milliseconds)
                .query("filter", &filter)
                .query("set_presence", "offline");
            match since {
                Some(since) => call.query("since", since),
                None => call,
            }
        };
        let sync: Sync = self
            .reconciler
            .read(&self.http, &self.bot, call)
            .await
            .reading_from(since, "syncing with the homeserver")?;
        let (mut typing, mut receipts) = (Vec::new(), Vec::new());
        let joined = sync.rooms.join.into_iter().filter_map(|(room, joined)| {
            let joined: Joined = parse_or_skip(&joined, "section of /sync")?;
            Some((room, joined))
        });
        let rooms = joined.map(|(room, joined)| {
            for event in joined.ephemeral_events() {
                typing.extend(parse_typing(&event, Some(&room)));
                receipts.extend(parse_receipts(&event, Some(&room)));
            }
            let Joined { timeline, .. } = joined;
            RoomChanges { events: events(&timeline.events, &room), is_limited: timeline.limited, room }
        });
        let rooms = rooms.collect();
        let invitations = sync.rooms.invite.into_iter().filter_map(|(room, invited)| {
            let invited: Invited = parse_or_skip(&invited, "invitation")?;
            Some((room, invited.inviter(&self.bot)?))
        });
        let invitations = invitations.collect();
        let left = sync.rooms.leave.into_keys().collect();
        Ok(Changes { rooms, invitations, typing, receipts, left, next: sync.next_batch })
    }
}

impl Appservice {
    /// Returns the device and the user who reads: the bot if `reader` is `None`.
    fn reader_of<'u>(&'u self, reader: Option<&'u MatrixUserId>) -> (Device, &'u MatrixUserId) {
        reader.map_or_else(|| (self.reader.clone(), &self.bot), |user| (self.readers.of(user), user))
    }

    async fn page(&self, room: &RoomId, request: PageRequest<'_>) -> Result<TimelinePage> {
        self.page_by(&self.reader, &self.bot, room, request).await
    }

    async fn page_by(
        &self,
        device: &Device,
        user: &MatrixUserId,
        room: &RoomId,
        PageRequest { direction, from, limit, filter }: PageRequest<'_>,
    ) -> Result<TimelinePage> {
        let limit = limit.to_string();
        let call = |http| {
            let call = crate::call::Http::get(http).at("rooms").at(room).at("messages");
            let call = call.query("dir", direction).query("limit", &limit);
            let call = match filter {
                Some(filter) => call.query("filter", filter),
                None => call,
            };
            match from {
                Some(from) => call.query("from", from),
                None => call,
            }
        };
        let page = device.read(&self.http, user, call).await;
        let page: Messages = page.reading_from(from, "reading a room's messages")?;
        let is_empty = page.chunk.is_empty();
        Ok(TimelinePage {
            events: events(&page.chunk, room),
            ids: event_ids(&page.chunk),
            start: page.start,
            // Both servers return a token after the last page, whose page is empty.
            end: page.end.filter(|_| !is_empty),
        })
    }
}

/// Returns the filter of messages. Synapse filters in its database, so that an empty page is the last one.
/// Conduit ignores the filter.
fn messages_filter() -> String {
    json!({ "types": MESSAGE_TYPES }).to_string()
}

fn events(events: &[Box<RawValue>], room: &RoomId) -> Vec<RoomEvent> {
    events.iter().filter_map(|event| parse_event(event, Some(room))).collect()
}

/// Returns the ids of events, including those that cannot be parsed otherwise.
fn event_ids(events: &[Box<RawValue>]) -> Vec<EventId> {
    #[derive(Deserialize)]
    struct WithId {
        event_id: String,
    }
    let ids = events.iter().filter_map(|event| parse_or_skip::<WithId>(event, "event id"));
    ids.map(|event| EventId::new(event.event_id)).collect()
}
