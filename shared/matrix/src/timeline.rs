//! What stands in rooms: said in the name of users, read as the bot.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    id::{EventId, MatrixUserId, RoomId},
    json,
    port::{Changes, RoomChanges, RoomMember, RoomSummary, Timeline, TimelinePage},
    room::Marks,
    room_event::RoomEvent,
};
use reqwest::StatusCode;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::{Value, json, value::RawValue};

use crate::{
    Appservice,
    appservice::SentEvent,
    device::Device,
    error::{Context, misconfigured},
    wire::{MESSAGE_TYPES, parse_event, parse_receipts, parse_timestamp, parse_typing},
};

/// How long the homeserver may take beyond the time for which we let it wait.
const SYNC_MARGIN: Duration = Duration::from_secs(20);
/// Events of a room in one answer; what is more is read page by page. Conduit has its own number.
const TIMELINE: u32 = 50;

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
}

/// Which page of a room is wanted.
struct Wanted<'a> {
    direction: &'static str,
    from: Option<&'a str>,
    limit: u32,
    filter: Option<&'a str>,
}

/// What is read of an event to know it again, however strange the rest of it is.
#[derive(Deserialize)]
struct Named {
    event_id: String,
}

#[derive(Deserialize)]
struct Sync {
    next_batch: String,
    #[serde(default)]
    rooms: Rooms,
}

/// Each is read on its own: what is strange in one room is not to cost the others.
#[derive(Deserialize, Default)]
struct Rooms {
    #[serde(default)]
    join: BTreeMap<RoomId, Box<RawValue>>,
    #[serde(default)]
    invite: BTreeMap<RoomId, Box<RawValue>>,
    #[serde(default)]
    leave: BTreeMap<RoomId, Box<RawValue>>,
}

#[derive(Deserialize)]
struct Joined {
    #[serde(default)]
    timeline: RoomTimeline,
    ephemeral: Option<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
struct Ephemeral {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Invited {
    invite_state: Stripped,
}

#[derive(Deserialize)]
struct Stripped {
    events: Vec<Box<RawValue>>,
}

/// A state event, as far as it is needed here.
#[derive(Deserialize)]
struct StateEvent {
    #[serde(rename = "type")]
    kind: String,
    state_key: String,
    sender: MatrixUserId,
    content: Box<RawValue>,
    unsigned: Option<Box<RawValue>>,
    /// Stripped state has none.
    origin_server_ts: Option<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
struct RoomTimeline {
    #[serde(default)]
    events: Vec<Box<RawValue>>,
    #[serde(default)]
    limited: bool,
}

#[async_trait]
impl Timeline for Appservice {
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
        // Synapse looks for them in its database, so an empty page is the last one; Conduit heeds no filter.
        let filter = json!({ "types": MESSAGE_TYPES }).to_string();
        let filter = Some(filter.as_str());
        match reader {
            None => self.page(room, Wanted { direction: "b", from, limit, filter }).await,
            Some(user) => {
                self.page_by(
                    &self.readers.of(user),
                    user,
                    room,
                    Wanted { direction: "b", from, limit, filter },
                )
                .await
            }
        }
    }

    async fn all_before(&self, room: &RoomId, from: Option<&str>, limit: u32) -> Result<TimelinePage> {
        self.page(room, Wanted { direction: "b", from, limit, filter: None }).await
    }

    async fn after(&self, room: &RoomId, from: &str, limit: u32) -> Result<TimelinePage> {
        self.page(room, Wanted { direction: "f", from: Some(from), limit, filter: None }).await
    }

    async fn event(&self, room: &RoomId, event: &EventId) -> Result<Option<RoomEvent>> {
        let call = self.http.get().at("rooms").at(room).at("event").at(event).by(&self.bot);
        match call.send::<Box<RawValue>>().await {
            Err(cause) if cause.is_status(StatusCode::NOT_FOUND) => Ok(None),
            event => Ok(parse_event(&event.context("reading an event")?, Some(room))),
        }
    }

    async fn up_to(&self, room: &RoomId, event: &EventId, limit: u32) -> Result<Vec<EventId>> {
        // Half of them are those after it.
        let limit = limit.saturating_mul(2).to_string();
        let call = |http| {
            let call = crate::call::Http::get(http).at("rooms").at(room).at("context").at(event);
            call.query("limit", &limit)
        };
        let context: EventContext = match self.reader.read(&self.http, &self.bot, call).await {
            Err(cause) if cause.is_refused_for_good() => return Ok(Vec::new()),
            context => context.context("looking for what stands before an event")?,
        };
        let before =
            context.events_before.iter().filter_map(|event| legible::<Named>(event, "an event's id"));
        Ok(std::iter::once(event.clone()).chain(before.map(|named| EventId::new(named.event_id))).collect())
    }

    async fn changes(&self, since: Option<&str>, patience: Duration) -> Result<Changes> {
        let nothing = json!({ "not_types": ["*"] });
        let filter = json!({
            "presence": nothing,
            "account_data": nothing,
            "room": {
                "account_data": nothing,
                "ephemeral": { "types": ["m.typing", "m.receipt"] },
                "state": nothing,
                "timeline": { "limit": TIMELINE },
            },
        })
        .to_string();
        let wait = patience.as_millis().to_string();
        let call = |http| {
            let call = crate::call::Http::get(http).at("sync").within(patience + SYNC_MARGIN);
            let call = call.query("timeout", &wait).query("filter", &filter).query("set_presence", "offline");
            match since {
                Some(since) => call.query("since", since),
                None => call,
            }
        };
        let sync: Sync = self
            .reconciler
            .read(&self.http, &self.bot, call)
            .await
            .reading_from(since, "reading the homeserver's stream")?;
        let (mut typing, mut receipts) = (Vec::new(), Vec::new());
        let joined = sync.rooms.join.into_iter().filter_map(|(room, joined)| {
            let joined: Joined = legible(&joined, "a room's changes")?;
            Some((room, joined))
        });
        let rooms = joined.map(|(room, Joined { timeline, ephemeral })| {
            for event in ephemeral_events(ephemeral.as_deref()) {
                typing.extend(parse_typing(&event, Some(&room)));
                receipts.extend(parse_receipts(&event, Some(&room)));
            }
            RoomChanges { events: events(&timeline.events, &room), is_limited: timeline.limited, room }
        });
        let rooms = rooms.collect();
        let invitations = sync.rooms.invite.into_iter().filter_map(|(room, invited)| {
            let invited: Invited = legible(&invited, "an invitation")?;
            let mut events = state_events(&invited.invite_state.events);
            let own = events.find(|event| event.is_membership() && event.state_key == self.bot.as_str())?;
            Some((room, own.sender))
        });
        let invitations = invitations.collect();
        let left = sync.rooms.leave.into_keys().collect();
        Ok(Changes { rooms, invitations, typing, receipts, left, next: sync.next_batch })
    }

    async fn summary(&self, room: &RoomId, member: &MatrixUserId) -> Result<RoomSummary> {
        let context = "looking at a room";
        let call = self.http.get().at("rooms").at(room).at("state").by(member);
        let state: Vec<Box<RawValue>> = call.send().await.context(context)?;
        let state: Vec<_> = state_events(&state).collect();
        let made = state.iter().find(|event| event.kind == "m.room.create");
        let made = made.ok_or_else(|| misconfigured(context, format!("{room} was made by nobody")))?;
        let text = |kind: &str, field: &str| {
            let event = state.iter().find(|event| event.kind == kind && event.state_key.is_empty())?;
            event.content().get(field)?.as_str().map(str::to_owned)
        };
        Ok(RoomSummary {
            made_by: made.sender.clone(),
            made_at: parse_timestamp(made.origin_server_ts.as_deref()),
            alias: text("m.room.canonical_alias", "alias"),
            name: text("m.room.name", "name"),
            topic: text("m.room.topic", "topic"),
            is_space: text("m.room.create", "type").as_deref() == Some("m.space"),
            marks: Marks {
                is_encrypted: state.iter().any(|event| event.kind == "m.room.encryption"),
                is_history_restricted: matches!(
                    text("m.room.history_visibility", "history_visibility").as_deref(),
                    Some("joined" | "invited")
                ),
            },
            is_upgraded: state.iter().any(|event| event.kind == "m.room.tombstone"),
            predecessor: made.predecessor(),
            is_direct: state.iter().any(StateEvent::is_direct),
            people: state.iter().filter_map(StateEvent::person).collect(),
        })
    }

    async fn enter(&self, room: &RoomId, member: &MatrixUserId) -> Result<()> {
        let context = "entering a room";
        let body = json!({ "user_id": self.bot });
        let invite = self.http.post().at("rooms").at(room).at("invite").by(member).body(&body);
        match invite.send::<IgnoredAny>().await {
            // It is in the room or invited already; if it is not, joining tells.
            Err(cause) if cause.is_status(StatusCode::FORBIDDEN) => {}
            result => result.map(drop).context(context)?,
        }
        let join = self.http.post().at("rooms").at(room).at("join").by(&self.bot);
        join.send::<IgnoredAny>().await.map(drop).context(context)
    }
}

impl Appservice {
    async fn page(&self, room: &RoomId, wanted: Wanted<'_>) -> Result<TimelinePage> {
        self.page_by(&self.reader, &self.bot, room, wanted).await
    }

    async fn page_by(
        &self,
        device: &Device,
        user: &MatrixUserId,
        room: &RoomId,
        Wanted { direction, from, limit, filter }: Wanted<'_>,
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
        let ids = page.chunk.iter().filter_map(|event| legible::<Named>(event, "an event's id"));
        let ids: Vec<_> = ids.map(|named| EventId::new(named.event_id)).collect();
        let is_empty = page.chunk.is_empty();
        Ok(TimelinePage {
            events: events(&page.chunk, room),
            ids,
            start: page.start,
            // Both servers name a further page after the last one; it is empty.
            end: page.end.filter(|_| !is_empty),
        })
    }
}

impl StateEvent {
    fn is_membership(&self) -> bool {
        self.kind == "m.room.member"
    }

    fn content(&self) -> Value {
        json::value(&self.content)
    }

    /// An invitation into a direct chat says so; who has accepted it, in what it replaces.
    fn is_direct(&self) -> bool {
        let unsigned = self.unsigned.as_ref().map(|unsigned| json::value(unsigned));
        let before = unsigned.as_ref().and_then(|unsigned| unsigned.get("prev_content"));
        let says_so = |content: &Value| content.get("is_direct").and_then(Value::as_bool) == Some(true);
        self.is_membership() && (says_so(&self.content()) || before.is_some_and(says_so))
    }

    /// Of `m.room.create`.
    fn predecessor(&self) -> Option<RoomId> {
        self.content().pointer("/predecessor/room_id")?.as_str().map(RoomId::new)
    }

    fn person(&self) -> Option<RoomMember> {
        let content = self.content();
        let membership = content.get("membership").and_then(Value::as_str)?;
        let is_there = self.is_membership() && matches!(membership, "join" | "invite");
        let id = MatrixUserId::new(self.state_key.as_str());
        is_there.then(|| RoomMember { id, is_joined: membership == "join" })
    }
}

fn events(events: &[Box<RawValue>], room: &RoomId) -> Vec<RoomEvent> {
    events.iter().filter_map(|event| parse_event(event, Some(room))).collect()
}

fn state_events(events: &[Box<RawValue>]) -> impl Iterator<Item = StateEvent> {
    events.iter().filter_map(|event| legible(event, "a state event"))
}

/// Conduit heeds no filter here: whoever reads these passes other types over.
fn ephemeral_events(ephemeral: Option<&RawValue>) -> Vec<Value> {
    let list: Option<Ephemeral> = ephemeral.and_then(|list| serde_json::from_str(list.get()).ok());
    let events = list.unwrap_or_default().events;
    events.iter().map(|event| json::value(event)).collect()
}

fn legible<T: DeserializeOwned>(raw: &RawValue, what: &'static str) -> Option<T> {
    let read = json::parse(raw.get());
    if let Err(error) = &read {
        tracing::warn!(%error, "{what} that cannot be read is passed over");
    }
    read.ok()
}
