//! The event log in memory.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use messenger_core::{
    Result,
    audiences::Audiences,
    cursor::Span,
    event::{Event, Kind, NewEvent},
    id::{EventId, Position},
    notification::Notification,
    port::Feed,
};

use super::{Memory, wait_for};

#[derive(Default)]
pub(super) struct Log {
    events: VecDeque<(Timestamp, Event)>,
    keys: HashMap<EventId, Timestamp>,
    head: i64,
    trimmed: i64,
}

impl Log {
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().map(|(_, event)| event)
    }

    pub(super) fn head(&self) -> i64 {
        self.head
    }

    /// Remembers a Matrix event id. Returns `false` if it was known.
    pub(super) fn remember(&mut self, now: Timestamp, key: &EventId) -> bool {
        match self.keys.entry(key.clone()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(entry) => {
                entry.insert(now);
                true
            }
        }
    }

    /// Forgets the event ids that were remembered earlier.
    pub(super) fn forget(&mut self, before: Timestamp) {
        self.keys.retain(|_, at| *at >= before);
    }

    /// Returns whether a Matrix event id is known.
    pub(super) fn knows(&self, key: &EventId) -> bool {
        self.keys.contains_key(key)
    }

    /// Appends an event unless its Matrix event id is known. Returns whether it did.
    pub(super) fn append(&mut self, now: Timestamp, new: &NewEvent) -> bool {
        if let Some(key) = &new.key
            && !self.remember(now, key)
        {
            return false;
        }
        self.head += 1;
        let event = Event {
            position: Position(self.head),
            audience: new.audience.clone(),
            kind: new.kind,
            notification: None,
            notification_created_at: None,
            room: new.room.clone(),
            payload: new.payload.clone(),
            about: None,
            is_redaction: false,
        };
        self.events.push_back((now, event));
        true
    }

    /// Appends an event about a notification. The one that announces it has the time at which it was stored.
    pub(super) fn append_about_notification(&mut self, now: Timestamp, about: &Notification, new: &NewEvent) {
        self.append(now, new);
        if let Some((_, event)) = self.events.back_mut() {
            event.notification = Some(about.id);
            event.notification_created_at = (new.kind == Kind::Notification).then_some(about.created_at);
        }
    }

    /// Appends an event about a message or a reaction.
    pub(super) fn append_about(
        &mut self,
        now: Timestamp,
        new: &NewEvent,
        about: Option<EventId>,
        is_redaction: bool,
    ) {
        self.append(now, new);
        if let Some((_, event)) = self.events.back_mut() {
            (event.about, event.is_redaction) = (about, is_redaction);
        }
    }

    pub(super) fn events_mut(&mut self) -> impl Iterator<Item = &mut Event> {
        self.events.iter_mut().map(|(_, event)| event)
    }

    /// Drops older events.
    pub(super) fn trim(&mut self, before: Timestamp) {
        while let Some((_, dropped)) = self.events.pop_front_if(|(at, _)| *at < before) {
            self.trimmed = dropped.position.0;
        }
    }

    fn page(&self, cursor: Position, limit: i64, is_included: impl Fn(&Event) -> bool) -> Vec<Event> {
        let start = self.events.partition_point(|(_, event)| event.position <= cursor);
        let limit = usize::try_from(limit).unwrap_or_default();
        self.events
            .range(start..)
            .map(|(_, event)| event)
            .filter(|event| is_included(event))
            .take(limit)
            .cloned()
            .collect()
    }
}

#[async_trait]
impl Feed for Memory {
    async fn append(&self, events: &[NewEvent]) -> Result<usize> {
        self.act("appending to the event log", |state| {
            events.iter().filter(|event| state.log.append(state.now, event)).count()
        })
        .await
    }

    async fn after(&self, cursor: Position, audiences: &Audiences, limit: i64) -> Result<Vec<Event>> {
        self.act("reading the event log", |state| {
            state.log.page(cursor, limit, |event| audiences.includes(&event.audience, event.position))
        })
        .await
    }

    async fn next(&self, cursor: Position, limit: i64) -> Result<Vec<Event>> {
        self.act("reading the event log", |state| state.log.page(cursor, limit, |_| true)).await
    }

    async fn span(&self) -> Result<Span> {
        self.act("reading the event log", |state| Span {
            trimmed: Position(state.log.trimmed),
            head: Position(state.log.head),
        })
        .await
    }

    async fn wait_beyond(&self, _: Position, patience: Duration) {
        wait_for(&self.shared.appended, patience).await;
    }
}
