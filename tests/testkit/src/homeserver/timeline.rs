//! The timelines of rooms in memory. A sync token is the number of the last event before it.

use std::{collections::BTreeSet, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    error::Failure,
    id::{EventId, MatrixUserId, RoomId},
    port::{Changes, RoomChanges, Surroundings, Timeline, TimelinePage},
    room::NewRoom,
    room_event::RoomEvent,
};
use messenger_matrix::wire::{MESSAGE_TYPES, parse_event};
use serde_json::{Value, json, value::to_raw_value};

use super::{BOT, Bot, MemoryHomeserver, Message, Room, State};

/// The most events of a room in one result of [`Timeline::changes`].
const LIMIT: usize = 3;

#[async_trait]
impl Timeline for MemoryHomeserver {
    async fn send(&self, room: &RoomId, transaction: &str, content: &Value) -> Result<EventId> {
        let bot = MatrixUserId::new(BOT);
        self.call("sending a message", |state| {
            if !state.rooms.get(room).is_some_and(|room| room.bot == Bot::In) {
                return Err(Failure::Rejected);
            }
            state.send(room, &bot, transaction, None, content)
        })
        .await
    }

    async fn send_as(
        &self,
        room: &RoomId,
        sender: &MatrixUserId,
        transaction: &str,
        at: Timestamp,
        content: &Value,
    ) -> Result<EventId> {
        self.check_account(sender)?;
        self.call_in(room, "sending a message", |state| {
            state.act_as(sender);
            if !state.rooms.get(room).is_some_and(|room| room.may_send(sender)) {
                return Err(Failure::Rejected);
            }
            state.send(room, sender, transaction, Some(at), content)
        })
        .await
    }

    async fn before(
        &self,
        room: &RoomId,
        from: Option<&str>,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<TimelinePage> {
        self.call_in(room, "reading a room's messages", |state| {
            let from = from.map_or(Ok(state.events + 1), position)?;
            let messages = state.read_by(room, reader)?;
            let earlier = messages.iter().rev().filter(|message| message.number < from);
            let sent = earlier.copied().filter(|message| MESSAGE_TYPES.contains(&message.kind.as_str()));
            Ok(page(room, from, sent.take(limit as usize)))
        })
        .await
    }

    async fn all_before(&self, room: &RoomId, from: Option<&str>, limit: u32) -> Result<TimelinePage> {
        self.call_in(room, "reading a room's messages", |state| {
            let from = from.map_or(Ok(state.events + 1), position)?;
            let messages = state.read_by_bot(room)?;
            let earlier = messages.iter().rev().filter(|message| message.number < from);
            Ok(page(room, from, earlier.take(limit as usize)))
        })
        .await
    }

    async fn after(&self, room: &RoomId, from: &str, limit: u32) -> Result<TimelinePage> {
        self.call_in(room, "reading a room's messages", |state| {
            let from = position(from)?;
            let messages = state.read_by_bot(room)?;
            let later = messages.iter().filter(|message| message.number > from);
            Ok(page(room, from, later.take(limit as usize)))
        })
        .await
    }

    async fn later(
        &self,
        room: &RoomId,
        from: &str,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<TimelinePage> {
        self.call_in(room, "reading a room's messages", |state| {
            let from = position(from)?;
            let messages = state.read_by(room, reader)?;
            let later = messages.iter().copied().filter(|message| message.number > from);
            let sent = later.filter(|message| MESSAGE_TYPES.contains(&message.kind.as_str()));
            Ok(page(room, from, sent.take(limit as usize)))
        })
        .await
    }

    async fn around(
        &self,
        room: &RoomId,
        event: &EventId,
        limit: u32,
        reader: Option<&MatrixUserId>,
    ) -> Result<Option<Surroundings>> {
        self.call_in(room, "reading the events around an event", |state| {
            let messages = state.read_by(room, reader)?;
            let Some(at) = messages.iter().position(|message| message.event == *event) else {
                return Ok(None);
            };
            let (number, half) = (messages[at].number, limit as usize / 2);
            let is_sent = |message: &&&Message| MESSAGE_TYPES.contains(&message.kind.as_str());
            let before: Vec<_> = messages[..at].iter().rev().filter(is_sent).take(half).collect();
            let after: Vec<_> = messages[at + 1..].iter().filter(is_sent).take(half).collect();
            let token = |message: Option<&&&Message>| message.map_or(number, |message| message.number);
            let (first, last) = (token(before.last()), token(after.last()));
            let all = after.into_iter().rev().chain([&messages[at]]).chain(before);
            let events = all.filter_map(|message| read(room, message)).collect();
            Ok(Some(Surroundings { events, before: first.to_string(), later: last.to_string() }))
        })
        .await
    }

    async fn event(&self, room: &RoomId, event: &EventId) -> Result<Option<RoomEvent>> {
        self.call_in(room, "reading an event", |state| {
            let messages = state.rooms.get(room).map(|room| room.messages.as_slice()).unwrap_or_default();
            Ok(messages
                .iter()
                .find(|message| message.event == *event)
                .and_then(|message| read(room, message)))
        })
        .await
    }

    async fn up_to(&self, room: &RoomId, event: &EventId, limit: u32) -> Result<Vec<EventId>> {
        self.call_in(room, "reading the events up to an event", |state| {
            let messages = state.read_by_bot(room)?;
            let Some(at) = messages.iter().position(|message| message.event == *event) else {
                return Ok(Vec::new());
            };
            let before = messages[..=at].iter().rev().take(limit as usize + 1);
            Ok(before.map(|message| message.event.clone()).collect())
        })
        .await
    }

    async fn changes(&self, since: Option<&str>, _timeout: Duration) -> Result<Changes> {
        self.call("syncing", |state| {
            let since = match position(since.unwrap_or("0")) {
                Err(_) if state.accepts_unknown_tokens => 0,
                since => since?,
            };
            let is_in = |(_, room): &(&RoomId, &Room)| room.bot == Bot::In;
            let has_left = |room: &Room| matches!(room.bot, Bot::Out(at) | Bot::Banned(at) if at > since);
            let left = state.rooms.iter().filter(|(_, room)| has_left(room)).map(|(id, _)| id.clone());
            let rooms = state.rooms.iter().filter(is_in).filter_map(|(id, room)| {
                let new: Vec<_> = room.messages.iter().filter(|message| message.number > since).collect();
                let last = &new[new.len().saturating_sub(LIMIT)..];
                (!new.is_empty()).then(|| RoomChanges {
                    room: id.clone(),
                    events: last.iter().filter_map(|message| read(id, message)).collect(),
                    is_limited: new.len() > LIMIT,
                })
            });
            let (rooms, left, next) = (rooms.collect(), left.collect(), state.events.to_string());
            let (typing, receipts) = (state.typing_changes(), std::mem::take(&mut state.receipts));
            Ok(Changes { rooms, invitations: Vec::new(), typing, receipts, left, next })
        })
        .await
    }
}

impl MemoryHomeserver {
    /// Sends an event of any type as another client. Returns its id.
    pub fn send_event(&self, room: &RoomId, sender: &MatrixUserId, kind: &str, content: Value) -> EventId {
        self.state().send_event(room, sender, kind, content)
    }

    /// Creates a room as another client of a user, with other members in it.
    pub fn create_room_as(
        &self,
        creator: &MatrixUserId,
        others: &[&MatrixUserId],
        is_direct: bool,
    ) -> RoomId {
        let mut state = self.state();
        let room = RoomId::new(format!("!made{}:hub.local", state.rooms.len() + 1));
        let request = NewRoom {
            alias: String::new(),
            name: String::new(),
            topic: None,
            is_direct,
            members_invite: true,
            invite: Vec::new(),
        };
        let members: BTreeSet<_> = [creator].into_iter().chain(others.iter().copied()).cloned().collect();
        let joined_after = members.iter().map(|member| (member.clone(), state.events)).collect();
        let created_at = state.stamp(state.events);
        let created = Room {
            request,
            members,
            invited: BTreeSet::new(),
            joined_after,
            muted: BTreeSet::new(),
            banned: BTreeSet::new(),
            unkickable: BTreeSet::new(),
            successor: None,
            predecessor: None,
            messages: Vec::new(),
            creator: creator.clone(),
            created_at,
            bot: Bot::Out(0),
            is_space: false,
        };
        state.rooms.insert(room.clone(), created);
        room
    }

    /// Turns a room into a space.
    pub fn make_space(&self, room: &RoomId) {
        self.state().rooms.get_mut(room).expect("the room exists").is_space = true;
    }

    /// Makes a user a member of a room with another client, invited by somebody who may.
    pub fn join_as_other_client(&self, room: &RoomId, user: &MatrixUserId) {
        let mut state = self.state();
        let number = state.events;
        state.rooms.get_mut(room).expect("the room exists").add_member(user, number);
    }

    /// Invites a user into a room. Returns the membership event.
    pub fn invite(&self, room: &RoomId, sender: &MatrixUserId, user: &MatrixUserId) -> EventId {
        let mut state = self.state();
        let found = state.rooms.get_mut(room).expect("the room exists");
        if !found.members.contains(user) {
            found.invited.insert(user.clone());
        }
        state.membership(room, sender, user, "invite")
    }

    /// Ends a user's membership or invitation: a kick, a leave or a rejection. Returns the membership event.
    pub fn end_membership(&self, room: &RoomId, sender: &MatrixUserId, user: &MatrixUserId) -> EventId {
        let mut state = self.state();
        let found = state.rooms.get_mut(room).expect("the room exists");
        found.members.remove(user);
        found.invited.remove(user);
        state.membership(room, sender, user, "leave")
    }

    /// Kicks or bans the bot from a room.
    pub fn remove_bot(&self, room: &RoomId, sender: &MatrixUserId, is_banned: bool) {
        let membership = if is_banned { "ban" } else { "leave" };
        self.send_event(room, sender, "m.room.member", json!({ "membership": membership }));
        let mut state = self.state();
        let at = state.events;
        let found = state.rooms.get_mut(room).expect("the room exists");
        found.bot = if is_banned { Bot::Banned(at) } else { Bot::Out(at) };
    }

    /// Sends a text message as another client. Returns its id.
    pub fn send_text(&self, room: &RoomId, sender: &MatrixUserId, body: &str) -> EventId {
        self.send_event(room, sender, "m.room.message", json!({ "msgtype": "m.text", "body": body }))
    }

    /// Redacts an event: only its id is left. Returns the id of the redaction.
    pub fn redact(&self, room: &RoomId, sender: &MatrixUserId, of: &EventId) -> EventId {
        let mut state = self.state();
        let messages = &mut state.rooms.get_mut(room).expect("the room exists").messages;
        messages.iter_mut().find(|message| message.event == *of).expect("the event exists").content =
            json!({});
        state.send_event(room, sender, "m.room.redaction", json!({ "redacts": of }))
    }

    /// Returns an event as the homeserver sends it.
    pub fn room_event(&self, room: &RoomId, event: &EventId) -> RoomEvent {
        let state = self.state();
        let mut messages = state.room(room).messages.iter();
        let message = messages.find(|message| message.event == *event).expect("the event exists");
        read(room, message).expect("an event that the service reads")
    }
}

impl State {
    pub(super) fn send(
        &mut self,
        room: &RoomId,
        sender: &MatrixUserId,
        transaction: &str,
        at: Option<Timestamp>,
        content: &Value,
    ) -> Result<EventId, Failure> {
        let at = at.unwrap_or_else(|| self.stamp(self.events + 1));
        let Self { rooms, faults, events, .. } = self;
        let messages = &mut rooms.get_mut(room).ok_or(Failure::Rejected)?.messages;
        if let Some(known) = messages.iter().find(|message| message.transaction == transaction) {
            return Ok(known.event.clone());
        }
        if faults.rejects(content["body"].as_str().unwrap_or_default()) {
            return Err(Failure::Rejected);
        }
        *events += 1;
        let event = EventId::new(format!("$event{events}"));
        let transaction = transaction.to_owned();
        messages.push(Message {
            event: event.clone(),
            sender: sender.clone(),
            number: *events,
            at,
            kind: "m.room.message".to_owned(),
            state_key: None,
            transaction,
            content: content.clone(),
        });
        Ok(event)
    }

    /// Returns the events of a room if the bot is in it.
    pub(super) fn read_by_bot(&self, room: &RoomId) -> Result<&Vec<Message>, Failure> {
        let found = self.rooms.get(room).filter(|room| room.bot == Bot::In);
        found.map(|room| &room.messages).ok_or(Failure::Rejected)
    }

    fn membership(
        &mut self,
        room: &RoomId,
        sender: &MatrixUserId,
        user: &MatrixUserId,
        membership: &str,
    ) -> EventId {
        let event = self.send_event(room, sender, "m.room.member", json!({ "membership": membership }));
        let messages = &mut self.rooms.get_mut(room).expect("the room exists").messages;
        messages.last_mut().expect("the event was added").state_key = Some(user.clone());
        event
    }

    /// Adds an event of any type with a transaction id. Returns its id.
    pub(super) fn send_as_client(
        &mut self,
        room: &RoomId,
        sender: &MatrixUserId,
        kind: &str,
        content: Value,
        transaction: &str,
    ) -> EventId {
        let event = self.send_event(room, sender, kind, content);
        let messages = &mut self.rooms.get_mut(room).expect("the room exists").messages;
        transaction.clone_into(&mut messages.last_mut().expect("the event was added").transaction);
        event
    }

    pub(super) fn send_event(
        &mut self,
        room: &RoomId,
        sender: &MatrixUserId,
        kind: &str,
        content: Value,
    ) -> EventId {
        self.events += 1;
        let number = self.events;
        let event = EventId::new(format!("$event{number}"));
        let message = Message {
            event: event.clone(),
            sender: sender.clone(),
            number,
            at: self.stamp(number),
            kind: kind.to_owned(),
            state_key: None,
            transaction: format!("other client {number}"),
            content,
        };
        self.rooms.get_mut(room).expect("the room exists").messages.push(message);
        event
    }
}

impl Room {
    /// Returns a field of the last event of this type.
    pub(super) fn state(&self, kind: &str, field: &str) -> Option<String> {
        let event = self.messages.iter().rev().find(|message| message.kind == kind)?;
        event.content[field].as_str().map(str::to_owned)
    }
}

fn position(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::UnknownToken)
}

fn page<'m>(room: &RoomId, from: u64, messages: impl Iterator<Item = &'m Message>) -> TimelinePage {
    let messages: Vec<_> = messages.collect();
    TimelinePage {
        events: messages.iter().filter_map(|message| read(room, message)).collect(),
        ids: messages.iter().map(|message| message.event.clone()).collect(),
        start: from.to_string(),
        end: messages.last().map(|message| message.number.to_string()),
    }
}

fn read(room: &RoomId, message: &Message) -> Option<RoomEvent> {
    let event = json!({
        "event_id": message.event, "sender": message.sender, "type": message.kind, "state_key": message.state_key,
        "origin_server_ts": message.at.as_millisecond(), "content": message.content,
    });
    parse_event(&to_raw_value(&event).expect("JSON"), Some(room))
}
